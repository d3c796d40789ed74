/**
 * TypeBox, by one file: the build makes one module of it, because loading its hundreds of modules took half of the CPU time of
 * every start.
 */
export * from "typebox";
export { Compile } from "typebox/compile";

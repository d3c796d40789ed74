import type { Page } from "../page.ts";
import { lessonsPage } from "./lessons.tsx";

/** Every page, in the order of the navigation. */
export const pages: readonly Page[] = [lessonsPage];

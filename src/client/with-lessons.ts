import type { ExperienceBus } from "./index.ts";

/** For whom and what lessons are asked. */
export interface LessonOptions {
  readonly agentId: string;
  readonly taskType?: string;
  /** The piece of work; with it the effect of lessons is measured, and each is handed out once. */
  readonly runId?: string;
  readonly tool?: string;
  readonly maxLessons?: number;
  readonly maxChars?: number;
}

/** The part of a prompt of the AI SDK that is looked at here. */
interface Message {
  readonly role: string;
}

/** So many runs are remembered; an older one starts without its lessons. */
const mostRuns = 1_000;

/**
 * Middleware for a model of the AI SDK (`wrapLanguageModel`): before each call, lessons for this agent go into the
 * prompt, as a system message after those that it begins with. Within the client's deadline, or without lessons.
 *
 * `version` is the specification that the SDK speaks: `v4` (7), `v3` (6) or `v2` (5).
 */
export function withLessons<const Version extends "v2" | "v3" | "v4" = "v4">(
  bus: Pick<ExperienceBus, "recall">,
  options: LessonOptions,
  version: Version = "v4" as Version,
) {
  const { agentId, taskType, runId, tool, maxLessons, maxChars } = options;
  /** What a run was given before is not handed out again, and the model has forgotten it since. */
  const given = new Map<string, string[]>();

  function remembered(block: string): string {
    if (runId === undefined) return block;
    const blocks = given.get(runId) ?? [];
    if (block !== "") blocks.push(block);
    given.delete(runId);
    given.set(runId, blocks);
    const [oldest] = given.keys();
    if (given.size > mostRuns && oldest !== undefined) given.delete(oldest);
    return blocks.join("\n\n");
  }

  return {
    specificationVersion: version,
    async transformParams<Params extends { prompt: unknown }>({
      params,
      model,
    }: {
      readonly params: Params;
      readonly model: { readonly provider: string; readonly modelId: string };
    }): Promise<Params> {
      const { block } = await bus.recall({
        ...{ agent_id: agentId, provider: model.provider, model: model.modelId },
        ...(taskType !== undefined && { task_type: taskType }),
        ...(runId !== undefined && { run_id: runId }),
        ...(tool !== undefined && { tool }),
        ...(maxLessons !== undefined && { max_lessons: maxLessons }),
        ...(maxChars !== undefined && { max_chars: maxChars }),
      });
      const content = remembered(block);
      if (content === "") return params;
      const prompt = params.prompt as readonly Message[];
      const first = prompt.findIndex(({ role }) => role !== "system");
      const at = first === -1 ? prompt.length : first;
      const lessons = { role: "system", content };
      return { ...params, prompt: [...prompt.slice(0, at), lessons, ...prompt.slice(at)] };
    },
  };
}

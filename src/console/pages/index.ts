import type { Page } from "../page.ts";
import { deadLetterPage } from "./dead-letter.tsx";
import { deadLettersPage } from "./dead-letters.tsx";
import { fleetPage } from "./fleet.tsx";
import { lessonPage } from "./lesson.tsx";
import { lessonsPage } from "./lessons.tsx";
import { runPage } from "./run.tsx";
import { runsPage } from "./runs.tsx";
import { whyPage } from "./why.tsx";

/** Every page, in the order of the navigation. */
export const pages: readonly Page[] = [
  fleetPage,
  lessonsPage,
  lessonPage,
  runsPage,
  runPage,
  deadLettersPage,
  deadLetterPage,
  whyPage,
];

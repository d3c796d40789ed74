import type { Page } from "../page.ts";
import { deadLetterPage } from "./dead-letter.tsx";
import { deadLettersPage } from "./dead-letters.tsx";
import { fleetPage } from "./fleet.tsx";
import { lessonPage } from "./lesson.tsx";
import { lessonsPage } from "./lessons.tsx";
import { memoryPage } from "./memory.tsx";
import { missionPage } from "./mission.tsx";
import { missionsPage } from "./missions.tsx";
import { reviewPage } from "./review.tsx";
import { reviewEntryPage } from "./review-entry.tsx";
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
  reviewPage,
  reviewEntryPage,
  memoryPage,
  missionsPage,
  missionPage,
  deadLettersPage,
  deadLetterPage,
  whyPage,
];

/** Characters of the text of a case. */
export const maxCaseText = 8_000;

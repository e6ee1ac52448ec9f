import { ValueError } from "@lockstep/core";

/** @throws {ValueError} E_TOKEN_RANGE */
export function tokenRangeError(
  where: string,
  token: number,
  details: { position: number; vocabSize: number },
): ValueError {
  const { position, vocabSize } = details;
  return new ValueError(
    `${where}: token ${token} at position ${position} is out of the vocabulary; it must be in 0..${vocabSize - 1}.`,
    { token, position, vocabSize },
    "E_TOKEN_RANGE",
  );
}

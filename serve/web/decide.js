// Decides who a face is at any threshold, by the server's rule (docs/architecture.md), from the server's candidates.

export const STRANGER = "not in the dataset";
export const POOR = "poor quality";
export const NOT_LIVE = "not live";
const TAKEN = "taken"; // the server's reason at its own threshold; it is decided again here

/**
 * Decide on the faces of one photo.
 *
 * Of all pairs of a face and a person above the threshold the most similar is taken first, and neither is looked at
 * again, so that one person is named at most once, unless that is not wanted. A face that the server found too poor
 * or not live stays so, with its reasons. Where a cohort decides, candidates have a score, and all of this is done
 * with the scores.
 *
 * @param {{name: string, candidates: {person_id: string, name: string, similarity: number, score: ?number}[], reasons: string[]}[]} faces
 * @param {number} threshold
 * @param {boolean} unique whether one person is named at most once
 * @returns {{person: ?string, name: string, similarity: number, score: ?number, margin: ?number, threshold: number,
 *   reasons: string[]}[]}
 */
export function decide(faces, threshold, unique = true) {
  const named = new Map();
  const taken = new Set();
  for (const { face, candidate } of pairs(faces, threshold)) {
    if (named.has(face) || (unique && taken.has(candidate.person_id))) continue;
    named.set(face, candidate);
    taken.add(candidate.person_id);
  }
  return faces.map((face, index) => decision(face, named.get(index), threshold));
}

/** Return how many of some decisions name nobody, for this reason: STRANGER, POOR or NOT_LIVE. */
export function countOf(decisions, none) {
  return decisions.filter(({ person, name }) => person === null && name === none).length;
}

/** Return what is compared with the threshold, of a candidate or a decision. */
export function deciding({ score, similarity }) {
  return score ?? similarity;
}

function pairs(faces, threshold) {
  const found = faces.flatMap(({ candidates }, face) => candidates.map((candidate) => ({ face, candidate })));
  return found
    .filter(({ candidate }) => deciding(candidate) > threshold)
    .sort((one, other) => deciding(other.candidate) - deciding(one.candidate));
}

function decision({ name, candidates, reasons: told = [] }, person, threshold) {
  const reasons = told.filter((code) => code !== TAKEN);
  const best = person ?? candidates[0];
  const others = candidates.filter((each) => each !== best);
  const unsearched = name === "not_live" ? NOT_LIVE : POOR;
  return {
    person: person?.person_id ?? null,
    name: person?.name ?? (reasons.length ? unsearched : STRANGER),
    similarity: best?.similarity ?? -1,
    score: best?.score ?? null,
    margin: others.length ? deciding(best) - deciding(others[0]) : null,
    threshold,
    reasons,
  };
}

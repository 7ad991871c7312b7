// Who a face is, for any threshold: the server's own rule (docs/architecture.md), on the candidates that it listed.

export const STRANGER = "not in the dataset";

/**
 * Decide on the faces of one photo.
 *
 * Of all pairs of a face and a person above the threshold the most similar is taken first, and neither is looked at
 * again, so that one person is named at most once.
 *
 * @param {{candidates: {person_id: string, name: string, similarity: number}[]}[]} faces
 * @param {number} threshold
 * @returns {{person: ?string, name: string, similarity: number, margin: ?number, threshold: number}[]}
 */
export function decide(faces, threshold) {
  const named = new Map();
  const taken = new Set();
  for (const { face, candidate } of pairs(faces, threshold)) {
    if (named.has(face) || taken.has(candidate.person_id)) continue;
    named.set(face, candidate);
    taken.add(candidate.person_id);
  }
  return faces.map((face, index) => decision(face.candidates, named.get(index), threshold));
}

function pairs(faces, threshold) {
  const found = faces.flatMap(({ candidates }, face) => candidates.map((candidate) => ({ face, candidate })));
  return found
    .filter(({ candidate }) => candidate.similarity > threshold)
    .sort((one, other) => other.candidate.similarity - one.candidate.similarity);
}

function decision(candidates, person, threshold) {
  const best = person ?? candidates[0];
  const others = candidates.filter((each) => each !== best);
  return {
    person: person?.person_id ?? null,
    name: person?.name ?? STRANGER,
    similarity: best?.similarity ?? -1,
    margin: others.length ? best.similarity - others[0].similarity : null,
    threshold,
  };
}

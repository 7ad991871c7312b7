// Calls the HTTP API of this page's server. A call returns JSON or throws a Problem.

const RETRIES = 4;

let token = null;
let signedOut = () => {};

/**
 * Say what each request needs besides its own.
 * @param {?string} csrf token of the session, which each change sends.
 * @param {() => void} ended is called when the session has ended.
 */
export function useSession(csrf, ended) {
  token = csrf;
  signedOut = ended;
}

/** An error of the server with its stable code, or `unreachable`. */
export class Problem extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

/** Return the path of a gallery, of a person in it, or of one photo. */
export function at(gallery, person, photo) {
  let path = `/v1/galleries/${encodeURIComponent(gallery)}`;
  if (person !== undefined) path += `/people/${encodeURIComponent(person)}`;
  if (photo !== undefined) path += `/photos/${encodeURIComponent(photo)}`;
  return path;
}

/**
 * Return the JSON that the server answers.
 * @param {string} method
 * @param {string} path
 * @param {object|File} [body] an object is sent as JSON, a file as it is.
 * @param {number} [retries] how often it is asked again when there was too much to do.
 * @throws {Problem}
 */
export async function call(method, path, body, retries = RETRIES) {
  const json = body !== undefined && !(body instanceof Blob);
  const type = json ? "application/json" : "application/octet-stream";
  const headers = body === undefined ? {} : { "content-type": type };
  if (token !== null && method !== "GET") headers["x-csrf-token"] = token;
  const request = { method, headers, body: json ? JSON.stringify(body) : body };
  for (let tries = 0; ; tries += 1) {
    const answer = await send(path, request);
    const read = await answer.json().catch(() => null);
    if (answer.ok) return read;
    if (answer.status === 401 && read?.code === "unauthorised" && path !== "/v1/session") signedOut();
    if (answer.status !== 429 || tries >= retries) {
      throw new Problem(read?.code ?? "internal_error", read?.detail ?? `the server answered ${answer.status}`);
    }
    const seconds = Number(answer.headers.get("retry-after")) || 1;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

/** Return the items of all pages of a list. */
export async function all(path, field) {
  const rows = [];
  for (let after = ""; after !== null;) {
    const page = await call("GET", `${path}?limit=1000&after=${encodeURIComponent(after)}`);
    rows.push(...page[field]);
    after = page.next;
  }
  return rows;
}

/** Do something with each item, a few at once; the server gathers them into batches. */
export async function each(items, act, atOnce = 4) {
  const waiting = [...items];
  const worker = async () => {
    while (waiting.length) await act(waiting.shift());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function send(path, request) {
  try {
    return await fetch(path, request);
  } catch {
    // This also fails if a file was moved or changed after it was chosen.
    const reason = request.body instanceof File ? "the server does not answer, or the file cannot be read" : "the server does not answer";
    throw new Problem("unreachable", reason);
  }
}

// Asks the server, for every module: JSON both ways, the token that proves the page is ours, and the dialogs that the
// answer may call for. Nobody signed in: the page asks who is there, and goes on. Consequences: it asks for the PIN or
// password again and for a reason, and goes on.

const ANSWER_MS = 15_000;

/** What the server has refused, or that it did not answer. */
export class Refused extends Error {
  /**
   * @param {number} status 0 where there was no answer
   * @param {string} what
   * @param {string} mend
   * @param {number} [waitS] when it may be tried again
   * @param {string} [language] of the words, where it is known
   */
  constructor(status, what, mend, waitS = 0, language = "") {
    super([what, mend].filter(Boolean).join("; "));
    this.status = status;
    this.what = what;
    this.mend = mend;
    this.waitS = waitS;
    this.language = language;
  }

  /** Its words are not in the language of the page. */
  get isForeign() {
    return this.language !== "" && this.language !== document.documentElement.lang;
  }
}

/** What the page knows of who is signed in: `access/presence.html` brings it. */
const known = document.getElementById("access")?.dataset ?? {};
let csrf = known.csrf ?? "";

/**
 * Asks, and gives the answer's JSON; `null` where it has none.
 * @param {string} url
 * @param {{ method?: string, body?: unknown, reason?: string, signal?: AbortSignal, isQuiet?: boolean }} [how]
 *   quiet: what somebody would have to be asked for is refused instead
 * @returns {Promise<any>}
 * @throws {Refused}
 */
export async function ask(url, how = {}) {
  let reason = how.reason ?? "";
  for (;;) {
    const answer = await sent(url, how, reason);
    if (answer.ok) return content(answer);
    const asks = (answer.headers.get("X-Asks") ?? "").split(", ");
    const refused = await refusal(answer);
    if (how.isQuiet) throw refused;
    if (asks.includes("sign-in")) {
      if (!(await signedIn())) throw refused;
    } else if (asks.includes("again") || asks.includes("reason")) {
      const given = await askedAgain(asks.includes("again"), reason);
      if (given === null) throw refused;
      reason = given;
    } else {
      throw refused;
    }
  }
}

/**
 * Somebody is signed in now: later commands carry their token, and whatever shows a name is told.
 * @param {{ name: string, role: string, csrf: string, idle_s: number }} said
 */
export function welcome(said) {
  csrf = said.csrf;
  document.dispatchEvent(new CustomEvent("takt-person", { detail: said }));
}

/**
 * @param {string} url
 * @param {{ method?: string, body?: unknown, signal?: AbortSignal }} how
 * @param {string} reason
 */
async function sent(url, how, reason) {
  const method = how.method ?? "POST";
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["Content-Type"] = "application/json";
    headers["X-CSRF"] = csrf;
  }
  if (reason) headers["X-Reason"] = encodeURIComponent(reason);
  try {
    return await fetch(url, {
      method,
      headers,
      body: method === "GET" ? undefined : JSON.stringify(how.body ?? {}),
      signal: how.signal ?? AbortSignal.timeout(ANSWER_MS),
    });
  } catch (error) {
    if (how.signal?.aborted) throw error;
    throw new Refused(0, known.unreachable ?? "", known.unreachableMend ?? "");
  }
}

/** @param {Response} answer */
async function content(answer) {
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  return isJson ? answer.json() : null;
}

/** @param {Response} answer */
async function refusal(answer) {
  const waitS = Number(answer.headers.get("Retry-After") ?? 0);
  try {
    const said = await answer.json();
    const language = answer.headers.get("Content-Language") ?? "";
    return new Refused(answer.status, String(said.what), String(said.mend), waitS, language);
  } catch {
    return new Refused(answer.status, answer.statusText || String(answer.status), "", waitS, "en");
  }
}

/** @type {Promise<boolean> | null} */
let comingIn = null;

/** Asks who is there, once for all commands that wait for it; where a page has no dialog for that, it leads to one. */
async function signedIn() {
  if (!document.getElementById("door-dialog")) {
    const here = `${location.pathname}${location.search}`;
    location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
    return new Promise(() => {});
  }
  comingIn ??= import("./access/dialogs.js").then((dialogs) => dialogs.signIn());
  try {
    return await comingIn;
  } finally {
    comingIn = null;
  }
}

/**
 * @param {boolean} needsSecret
 * @param {string} reason what was given as one before
 * @returns {Promise<string | null>} the reason; `null` where somebody thought better of it
 */
async function askedAgain(needsSecret, reason) {
  const dialogs = await import("./access/dialogs.js");
  return dialogs.again(needsSecret, reason);
}

// The operator's page: takes the server's events and hands them to the parts of the page.

import { by, put, say } from "./dom.js";
import { Freshness, LIMIT_MS, holdOff } from "./freshness.js";
import { HoldKey, STOP_WORDS, sendStop } from "./hold.js";
import { inShort } from "./findings.js";
import { LastPart } from "./last.js";
import { Floor } from "./line/floor.js";
import { whyOf, writeLanes, writeLine, writeNoData } from "./line.js";
import { usePreviews } from "./pictures.js";
import { Stream } from "./stream.js";
import { Strip } from "./strip.js";
import { span, text, timeOfDay, useTexts } from "./texts.js";

/** Whoever listens instead of looking hears of a reject at most so often. */
const ALOUD_MS = 2000;

const page = JSON.parse(by("page").textContent ?? "{}");
useTexts(page.words, page.language);
usePreviews(page.previews);

/** @type {any} */
let report = null;
let saidAloudAt = -Infinity;
let saidState = "";

const last = new LastPart((key) => strip.press(key));
const strip = new Strip((part) => last.hold(part));
const freshness = new Freshness(showFreshness);
new HoldKey("stop", () => sendStop(page.stop), STOP_WORDS);
const floor = new Floor(page.line, page.night);

const stream = new Stream(
  page.stream,
  {
    status: (said) => {
      report = said;
      freshness.heard(said.age_ms, said.sent_ms);
      writeLanes(said.lanes, LIMIT_MS);
      floor.writeAlarms(said.alarms ?? []);
      if (!freshness.isFresh) return;
      holdOff(by("veil"));
      writeLine(said);
      floor.follow(said.status);
      last.tick(said.sent_ms);
      sayState(said.status);
    },
    parts: ({ parts, last_reject: rejected }) => {
      last.clear();
      strip.replace(parts);
      for (const part of [...(rejected ? [rejected] : []), ...[...parts].reverse()]) last.take(part);
    },
    part: (part) => {
      strip.take(part);
      last.take(part);
      if (part.verdict === "reject") sayAloud(text("aloud.reject", { number: part.part, reason: inShort(part) }));
    },
  },
  () => freshness.begin(),
);

/** @param {boolean} isFresh */
function showFreshness(isFresh) {
  put(document.body, "data-live", isFresh ? "yes" : "no");
  if (isFresh) {
    // What the veil says if it has to come by itself.
    say(by("veil-words"), text("nodata.frozen"));
    return;
  }
  saidState = "";
  showAge();
  sayAloud(text("state.NO_DATA"));
}

/** Says why nothing is known, and for how long. */
function showAge() {
  if (freshness.isFresh) return;
  const age = freshness.age();
  let words = text("nodata.server");
  if (report === null) words = text("nodata.loading");
  else if (!freshness.isServerSilent()) {
    words = age === null ? text("nodata.never") : text("nodata.station", { ago: span(Math.max(1000, age)) });
  }
  writeNoData(words);
  say(by("veil-words"), words);
}

/** @param {any} status */
function sayState(status) {
  if (!status || status.state === saidState) return;
  saidState = status.state;
  sayAloud(text("aloud.state", { state: text(`state.${status.state}`), why: whyOf(status) }));
}

/** @param {string} words */
function sayAloud(words) {
  if (performance.now() - saidAloudAt < ALOUD_MS) return;
  saidAloudAt = performance.now();
  say(by("aloud"), words);
}

function tick() {
  say(by("clock"), timeOfDay());
  showAge();
}

// Until a report comes, the words stand in the page; from now on a hung script is the worst that can happen to it.
say(by("veil-words"), text("nodata.loading"));
setInterval(tick, 500);
tick();
stream.open();

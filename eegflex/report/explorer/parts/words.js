// What is said in plain words: the title, the sentence, and whether the explanation can be believed.
const scoreWords = () => `the score of ${target()}`;

function stagedWords(epoch) {
  const stage = night.predicted[epoch];
  if (stage < 0) return night.fault[epoch] ? `not staged (${night.fault[epoch]})` : "not staged";
  return `staged ${meta.stages[stage]}`;
}

function titleOf(epoch) {
  const words = [`Epoch ${epoch}`, clock(night.onset[epoch]), stagedWords(epoch)];
  if (hasScorer()) words.push(`scored ${night.scoredNames[night.scored[epoch]]}`);
  return words.join(" · ");
}

const HARDLY = 0.02; // a probability that an epoch moves by less hardly hangs on it
const ofBand = (row) => `${row.name}, ${row.span}`;

function withError(row) {
  return `${sumText(row)}${Number.isFinite(row.error) ? ` ± ${errorText(row.error)}` : ""} ${meta.unit}`;
}

// What spoke most for and against, so far as it is more than its error.
function sentence() {
  const words = [];
  if (!shown) {
    words.push("This epoch was not explained: what is known of it are its stage and the probabilities.");
    if (night.reasons[state.epoch]) words.push(`The stage itself: ${night.reasons[state.epoch]}.`);
  } else {
    const { set, name } = picked(), facts = shown.facts(weights(), set), change = facts.score - facts.baseline;
    if (meta.sums && Math.abs(change) <= facts.changeError) {
      words.push(`Not explained by this epoch: its change of the score (${signed(change)} ± ${errorText(facts.changeError)} ${meta.unit}) is within the error, so that no band below says why.`);
    }
    words.push(...withoutEpoch(set));
    const rows = bandRows().filter((row) => row.name !== "all");
    const sure = rows.filter((row) => !row.within).sort((a, b) => b.sum - a.sum), first = sure[0], last = sure[sure.length - 1];
    const spoke = meta.sums ? ["spoke most for", "against"] : [`${meta.raised} most the score of`, meta.lowered];
    const aim = target().replace(" over ", meta.sums ? " and not " : " over ");
    words.push(first?.sum > 0 ? `${name}: what ${spoke[0]} ${aim} is ${ofBand(first)} (${withError(first)});` : `${name}: no band ${meta.sums ? "spoke for" : meta.raised} ${aim} by more than its error;`);
    words.push(last?.sum < 0 ? `what ${meta.sums ? "spoke most against" : `${meta.lowered} most`} it is ${ofBand(last)} (${withError(last)}).` : `none ${meta.sums ? "spoke against" : meta.lowered} it by more than its error.`);
  }
  if (disagrees(state.epoch)) words.push(disagreementWords());
  if (against(state.epoch)) words.push(`The scorer says ${night.scoredNames[night.scored[state.epoch]]}.`);
  return upper(words.join(" "));
}

const upper = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// Whether the stage hangs on this epoch: what it has with the baseline in the place of the epoch.
function withoutEpoch(set) {
  const one = night.rows[shown.row].sets[set], own = meta.all ? explainedStage() : one.predicted;
  const before = one.replaced?.[own] ?? null, now = night.probability[state.epoch][set][own];
  if (before === null || now === null || (meta.all && state.over >= 0) || Math.abs(now - before) >= HARDLY) return [];
  return [`${meta.stages[own]} hardly hangs on this epoch: it has ${percent(now)} of probability, and ${percent(before)} with ${meta.baseline} in its place.`];
}

function disagreementWords() {
  const counts = new Map();
  for (const stage of night.chosen[state.epoch]) if (stage >= 0) counts.set(stage, (counts.get(stage) ?? 0) + 1);
  const said = [...counts].sort((a, b) => b[1] - a[1]).map(([stage, n]) => `${n} say ${meta.stages[stage]}`);
  return `The channel sets disagree: ${said.join(", ")}.`;
}

// Where the explanation was tested, what that said; always what is known of its errors and its context.
function trustWords() {
  const row = night.rows[shown.row], one = row.sets[picked().set], facts = shown.facts(weights(), picked().set), words = [];
  if (one.verdict) words.push(`${upper(one.verdict)}${one.reasons.length ? `: ${one.reasons.join("; ")}` : ""}.${meta.all ? " That is of the stage that was predicted." : ""}`);
  else {
    const tested = meta.sets.filter((_, set) => row.sets[set].verdict);
    const elsewhere = tested.length ? ` With ${tested.join(" and ")} it was.` : "";
    words.push(`It was not tested on the model, so that nobody knows whether the model follows it.${elsewhere}`);
  }
  if (meta.sums) {
    const change = facts.score - facts.baseline, most = Math.max(Math.abs(facts.score), Math.abs(facts.baseline));
    const error = Number.isFinite(facts.changeError) ? ` ± ${errorText(facts.changeError)}` : "";
    words.push(`${meta.scaled ? "It and its context" : "All of it"} together changed ${scoreWords()} by ${signed(change)}${error} ${meta.unit}: from ${signed(facts.baseline, most)} with ${meta.baseline} in ${meta.scaled ? "the place of it and of its context" : "its place"} to ${signed(facts.score, most)}.`);
  }
  if (one.contextShare !== null) words.push(`The epochs around it made ${percent(one.contextShare)} of the change, and the epoch itself the rest.${meta.all ? " That is of the stage that was predicted." : ""}`);
  if (one.carried) words.push(`${one.carried}.`);
  if (night.reasons[state.epoch]) words.push(`The stage itself: ${night.reasons[state.epoch]}.`);
  if (row.edge !== "inside") words.push(`Its window was ${row.edge} at the edge of the recording.`);
  if (row.filterEdge) words.push("The edge of the recording reaches into it through the filter.");
  return words;
}

function tellTrust() {
  $("ex-trust").replaceChildren(...trustWords().map((words) => el("li", {}, words)));
}

// Bands: their sums with errors, and the reader's own edges.

// Sums of the bands that are chosen and of what lies outside them, with their errors, for the channels that are chosen.
function bandRows() {
  const { channels, set } = picked(), own = weights();
  const usual = shown.bands(own, channels), facts = shown.facts(own, set);
  let rows;
  if (usualBands()) {
    const spans = [...meta.bands.map(([, low, high]) => span(low, high)), ...meta.outside.map((name) => outsideWords(name))];
    rows = bandNames().map((name, b) => ({ name, span: spans[b], sum: usual.sums[b], error: Math.min(usual.errors[b], facts.error) }));
  } else rows = ownRows(own, channels, usual, facts);
  const sum = rows.reduce((total, row) => total + row.sum, 0);
  const error = Math.min(usual.errors.reduce((total, one) => total + one, 0), facts.error);
  rows.push({ name: "all", span: channels.length > 1 ? "all bands and channels" : "all bands of it", sum, error });
  // an error that is not known marks nothing
  for (const row of rows) row.within = Math.abs(row.sum) <= row.error;
  return rows;
}

const span = (low, high) => `${low}–${high} Hz`;

function outsideWords(name) {
  const lows = state.bands.map((one) => one[1]), highs = state.bands.map((one) => one[2]);
  return { below: `< ${Math.min(...lows)} Hz`, above: `≥ ${Math.max(...highs)} Hz`, between: "in no band" }[name];
}

// Bands of the reader's: each step of frequency belongs to the band that holds its lower edge. Nobody knows where in a usual
// band its error lies, so that a band has the errors of all usual ones that it shares a step with.
function ownRows(own, channels, usual, facts) {
  const steps = shown.steps("frequency", own, channels), rounded = shown.roundedBy("frequency", own, channels);
  const names = new Map([...state.bands.map(([name, low, high]) => [name, span(low, high)]), ["below", outsideWords("below")], ["between", outsideWords("between")], ["above", outsideWords("above")]]);
  const rows = new Map([...names].map(([name, words]) => [name, { name, span: words, sum: 0, error: 0, shared: new Set(), steps: 0 }]));
  steps.forEach((value, j) => {
    const row = rows.get(bandOf(meta.freqEdges[j], state.bands));
    row.sum += value;
    row.steps += 1;
    row.shared.add(usualPlace(meta.freqEdges[j]));
  });
  for (const row of rows.values()) {
    const shared = [...row.shared].reduce((total, b) => total + usual.errors[b], 0);
    row.error = Math.min(shared, facts.error) + rounded;
  }
  return [...rows.values()].filter((row) => row.steps || state.bands.some(([name]) => name === row.name));
}

function bandOf(freq, bands) {
  const inside = bands.find(([, low, high]) => low <= freq + 1e-9 && freq + 1e-9 < high);
  if (inside) return inside[0];
  if (freq + 1e-9 < Math.min(...bands.map((one) => one[1]))) return "below";
  return freq + 1e-9 < Math.max(...bands.map((one) => one[2])) ? "between" : "above";
}

const usualPlace = (freq) => bandNames().indexOf(bandOf(freq, meta.bands));

function drawBands() {
  const rows = bandRows(), most = largest(rows.filter((row) => row.name !== "all").map((row) => row.sum));
  $("ex-bands-heading").textContent = `${upper(picked().name)}: evidence for and against ${target()}`;
  $("ex-unit").textContent = `sum (${meta.unit})`;
  $("ex-bands").replaceChildren(...rows.map((row) => bandRow(row, most)));
  const words = ["Bars to the right (filled) raised the score, bars to the left (hollow) lowered it."];
  if (rows.some((row) => row.within)) words.push("Hatched, in parentheses: within its error.");
  if (!Number.isFinite(rows[0].error)) words.push("There is no estimate of errors.");
  if (!usualBands()) words.push(`Sums over bands of your own are off by at most ${plain(shown.roundedBy("frequency", weights(), picked().channels), most)} by rounding, which is in their errors.`);
  $("ex-bands-key").textContent = words.join(" ");
}

function bandRow(row, most) {
  const name = el("th", { scope: "row" }, row.name, el("small", {}, row.span));
  const fill = el("i", { class: row.sum >= 0 ? "ex-up" : "ex-down" });
  if (row.within) fill.classList.add("ex-within");
  fill.style.width = `${Math.min(50, most ? (50 * Math.abs(row.sum)) / most : 0)}%`;
  const text = sumText(row), error = Number.isFinite(row.error) ? el("small", {}, `± ${errorText(row.error)}${row.within ? ", within its error" : ""}`) : "";
  const made = el("tr", { "data-band": row.name }, name, el("td", {}, el("span", { class: "ex-track" }, fill)), el("td", {}, row.within ? `(${text})` : text, error));
  if (row.name === "all") made.classList.add("ex-all");
  return made;
}

// The edges as the reader may write them.
function showEdges() {
  if (!$("ex-edges")) return;
  $("ex-edges").replaceChildren(...state.bands.map(([name, low, high], k) => {
    const field = (type, label, value) => {
      const input = el("input", { type, "aria-label": `${label} of band ${k + 1}`, ...(type === "number" ? { step: "any", min: "0" } : {}) });
      input.value = value;
      input.addEventListener("change", takeEdges);
      return input;
    };
    const away = el("button", { type: "button", "aria-label": `remove band ${k + 1}` }, "×");
    away.addEventListener("click", () => { if (state.bands.length > 1) changeBands(state.bands.filter((_, j) => j !== k)); });
    return el("fieldset", { class: "ex-edge" }, field("text", "name", name), field("number", "lower edge (Hz)", low), "to", field("number", "upper edge (Hz)", high), "Hz", away);
  }));
}

function takeEdges() {
  const bands = [...$("ex-edges").children].map((row) => {
    const [name, low, high] = row.querySelectorAll("input");
    return [name.value.trim(), low.value === "" ? NaN : Number(low.value), high.value === "" ? NaN : Number(high.value)];
  });
  const problem = wrongWith(bands);
  $("ex-edges-told").textContent = problem || insideSteps(bands);
  if (!problem) changeBands(bands, true);
}

function changeBands(bands, kept = false) {
  state.bands = bands;
  if (!kept) {
    showEdges();
    $("ex-edges-told").textContent = insideSteps(bands);
  }
  show();
}

// A new band above the others, or in the widest one if these leave no room.
function addBand() {
  const high = Math.max(...state.bands.map((one) => one[2])), top = meta.freqEdges[meta.freqEdges.length - 1];
  if (high >= top - 1) $("ex-edges-told").textContent = "There is no room above the highest band: make it narrower first.";
  else changeBands([...state.bands, [`band ${state.bands.length + 1}`, high, Math.min(high + 10, Math.floor(top))]]);
}

function wrongWith(bands) {
  for (const [name, low, high] of bands) {
    if (!name || [...meta.outside, "between", "all"].includes(name)) return `A band cannot be called “${name}”.`;
    if (!(low >= 0 && low < high)) return `The band ${name} is empty: its lower edge must be below its upper one.`;
  }
  if (new Set(bands.map((one) => one[0])).size < bands.length) return "Two bands have one name.";
  const sorted = [...bands].sort((a, b) => a[1] - b[1]);
  const over = sorted.findIndex((one, k) => k && one[1] < sorted[k - 1][2]);
  return over < 0 ? "" : `The bands ${sorted[over - 1][0]} and ${sorted[over][0]} overlap.`;
}

// An edge that lies inside a step of frequency cannot divide it.
function insideSteps(bands) {
  const edges = meta.freqEdges, top = edges[edges.length - 1];
  const inside = [...new Set(bands.flatMap(([, low, high]) => [low, high]))].filter((edge) => edge < top && !edges.some((one) => Math.abs(one - edge) < 1e-6));
  return inside.map((edge) => {
    const k = edges.findIndex((one) => one > edge);
    return `${edge} Hz lies inside the step of ${edges[k - 1]}–${edges[k]} Hz, which is not divided: all of it counts to the band that holds ${edges[k - 1]} Hz.`;
  }).join(" ");
}

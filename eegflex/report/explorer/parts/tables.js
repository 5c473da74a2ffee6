// Tables beside the pictures: the same numbers, for who reads and does not see; made when they are opened.
const TABLES = {
  night: () => ({
    heads: ["epoch", "time", ...(hasScorer() ? ["scored"] : []), "staged", ...meta.stages.map((stage) => `p ${stage}`), "explained", "channels disagree", "ahead by"],
    rows: night.onset.map((onset, epoch) => [epoch, clock(onset), ...(hasScorer() ? [night.scoredNames[night.scored[epoch]]] : []), meta.stages[night.predicted[epoch]] ?? "–",
      ...night.mean[epoch].map(chance), rowOf(epoch) >= 0 ? (night.rows[rowOf(epoch)].told ? "yes" : "within its error") : "no", disagrees(epoch) ? "yes" : "no", chance(night.ahead[epoch])]),
  }),
  time: () => {
    const rows = signalRows(), values = rows.map(({ channel }) => shown.steps("time", weights(), [channel])), most = Math.max(...values.map(largest));
    return { heads: ["from s", ...rows.map((row) => row.name)], rows: [...values[0].keys()].map((j) => [meta.timeEdges[j], ...values.map((own) => signed(own[j], most))]) };
  },
  plane: () => {
    const columns = meta.planeTimes.length - 1, values = shown.steps("plane", weights(), picked().channels), most = largest(values);
    const rows = meta.planeEdges.slice(0, -1).map((low, k) => [span(low, meta.planeEdges[k + 1]), ...Array.from(values.slice(k * columns, (k + 1) * columns), (value) => signed(value, most))]);
    return { heads: ["frequency", ...meta.planeTimes.slice(0, -1).map((from) => `${from} s`)], rows };
  },
  context: () => {
    const values = shown.context(weights(), picked().set), most = values ? largest(values) : 0;
    const rows = values ? bandNames().map((name, b) => [name, ...meta.context.map((_, k) => signed(values[k * N_BANDS + b], most))]) : [];
    return { heads: ["band", ...meta.context.map((offset) => (offset ? `${offset > 0 ? "+" : "−"}${Math.abs(offset)}` : "this epoch"))], rows };
  },
  chances: () => ({ heads: ["channel set", ...meta.stages], rows: night.probability[state.epoch].map((chances, set) => [meta.sets[set], ...chances.map(chance)]) }),
  spectrum: () => {
    const { channels } = picked(), which = [...new Set(channels.map((channel) => meta.signalOf[channel]))], power = shown.power(which);
    const other = meta.baselinePower && meanLevel(which.map((one) => meta.baselinePower[one]));
    const values = has("frequency") ? shown.steps("frequency", weights(), channels) : null, most = values ? largest(values) : 0;
    const heads = ["frequency", "power (dB)", ...(other ? ["baseline’s power (dB)"] : []), ...(values ? [`attribution (${meta.unit})`] : [])];
    return { heads, rows: power.map((level, j) => [span(meta.freqEdges[j], meta.freqEdges[j + 1]), level.toFixed(1), ...(other ? [other[j].toFixed(1)] : []), ...(values ? [signed(values[j], most)] : [])]) };
  },
  measures: () => ({ heads: ["measure", "value"], rows: Object.entries(night.rows[shown.row].sets[picked().set].measures ?? { "it was not evaluated": "–" }) }),
};

const chance = (share) => (share === null ? "–" : share.toFixed(3));

function fill(details) {
  const name = details.dataset.table;
  if (!details.open || (name !== "night" && name !== "chances" && !shown)) return;
  const { heads, rows } = TABLES[name]();
  const body = rows.map((cells) => el("tr", {}, ...cells.map((value, k) => (k ? el("td", {}, String(value)) : el("th", { scope: "row" }, String(value))))));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...body));
  const label = details.querySelector("summary").textContent;
  details.querySelector(".ex-scroll")?.remove();
  details.append(el("div", { class: "ex-scroll", tabindex: "0", role: "region", "aria-label": label }, table));
}

function fillTables() {
  for (const details of section.querySelectorAll(".ex-table")) if (details.dataset.table !== "night") fill(details);
}

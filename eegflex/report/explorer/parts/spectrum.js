// What lies in frequency: power with the baseline's, attribution; and how probable each stage is.
const SPECTRUM_TOP = 30; // Hz that are drawn

function drawSpectrum() {
  const { pen, width, height } = canvas("ex-spectrum", has("frequency") ? 250 : 130);
  const left = 62, across = width - left - 6, at = (freq) => left + (freq / SPECTRUM_TOP) * across;
  const edges = meta.freqEdges, n = edges.findIndex((edge) => edge >= SPECTRUM_TOP), kept = n < 0 ? edges.length - 1 : n;
  const which = [...new Set(picked().channels.map((channel) => meta.signalOf[channel]))];
  const own = shown.power(which).slice(0, kept), other = meta.baselinePower && meanLevel(which.map((one) => meta.baselinePower[one])).slice(0, kept);
  const high = 96, middle = (j) => at((edges[j] + edges[j + 1]) / 2);
  const every = [...own, ...(other ?? [])], top = Math.max(...every), bottom = Math.max(Math.min(...every), top - 50);
  const level = (value) => 14 + (1 - (Math.max(value, bottom) - bottom) / (top - bottom || 1)) * (high - 14);
  state.bands.forEach(([name, low, up]) => {
    if (low >= SPECTRUM_TOP) return;
    for (const edge of [low, up]) if (edge <= SPECTRUM_TOP) line(pen, at(edge), 12, at(edge), height - AXIS_HEIGHT);
    pen.fillStyle = colours.soft;
    pen.font = "11px system-ui, sans-serif";
    write(pen, name, at((low + Math.min(up, SPECTRUM_TOP)) / 2), 6, at(Math.min(up, SPECTRUM_TOP)) - at(low) - 2, "center");
  });
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 1.5;
  curve(pen, own.map((value, j) => [middle(j), level(value)]));
  if (other) {
    pen.setLineDash([5, 4]);
    curve(pen, other.map((value, j) => [middle(j), level(value)]));
    pen.setLineDash([]);
  }
  pen.fillStyle = colours.soft;
  write(pen, `${top.toFixed(0)} dB`, left - 5, 16, left, "right");
  write(pen, `${bottom.toFixed(0)} dB`, left - 5, high - 3, left, "right");
  let most = 0;
  if (has("frequency")) most = drawBars(pen, { left, across, at, kept, height, from: high + 8 });
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colours.soft;
  for (let freq = 0; freq <= SPECTRUM_TOP; freq += 5) write(pen, `${freq}${freq === SPECTRUM_TOP ? " Hz" : ""}`, at(freq), height - 7, 40, freq === SPECTRUM_TOP ? "right" : "center");
  const words = [`Above: power of ${picked().name}${which.length > 1 ? ", the mean" : ""}, in dB re 1 µV²/Hz`];
  words.push(other ? `; dashed: of what it is compared with, ${meta.baseline}. ` : ". ");
  if (has("frequency")) words.push(`Below: bars up (filled) raised ${scoreWords()}, bars down (hollow) lowered it, in ${meta.unit} per ${edges[1]} Hz.`);
  else words.push("The method attributes to whole bands, not to frequencies.");
  $("ex-spectrum-key").textContent = words.join("");
}

function drawBars(pen, { left, across, at, kept, height, from }) {
  const values = shown.steps("frequency", weights(), picked().channels).slice(0, kept), most = largest(values);
  const half = (height - AXIS_HEIGHT - from) / 2, zero = from + half;
  line(pen, left, zero, left + across, zero, colours.soft);
  values.forEach((value, j) => {
    const x = at(meta.freqEdges[j]), wide = at(Math.min(meta.freqEdges[j + 1], SPECTRUM_TOP)) - x;
    if (most) bar(pen, (value / most) * (half - 4), x + 0.5, zero, Math.max(1, wide - 1));
  });
  pen.fillStyle = colours.ink;
  pen.font = "11px system-ui, sans-serif";
  const end = most < 1e-3 ? most.toExponential(1) : signed(most).replace("+", "");
  write(pen, `+${end}`, left - 5, from + 6, left - 4, "right");
  write(pen, `−${end}`, left - 5, height - AXIS_HEIGHT - 6, left - 4, "right");
  write(pen, "0", left - 5, zero, left, "right");
  return most;
}

function drawChancesOfEpoch() {
  const high = N_SETS > 10 ? 20 : 26, { pen, width } = canvas("ex-chances", N_SETS * high);
  const left = N_SETS < 2 ? 4 : width > 420 ? 132 : 92;
  night.probability[state.epoch].forEach((chances, set) => {
    let x = left;
    const y = set * high + 2, own = set === picked().set;
    if (chances[0] === null) {
      pen.fillStyle = colours.soft;
      write(pen, "not staged", x, y + high / 2 - 2, width);
    } else {
      for (const stage of meta.order) {
        const wide = chances[stage] * (width - left - 2);
        pen.fillStyle = colours.stages[stage];
        pen.fillRect(x, y, wide, high - 4);
        pen.fillStyle = onColour(colours.stages[stage]);
        if (wide > 30) write(pen, `${meta.stages[stage]}${wide > 70 ? ` ${percent(chances[stage])}` : ""}`, x + 5, y + high / 2 - 1, wide - 6);
        x += wide;
      }
    }
    pen.fillStyle = colours.ink;
    pen.font = `${own ? "bold " : ""}12px system-ui, sans-serif`;
    if (N_SETS > 1) write(pen, meta.sets[set], 2, y + high / 2 - 1, left - 8);
    pen.font = "12px system-ui, sans-serif";
  });
}

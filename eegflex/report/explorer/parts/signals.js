// What lies in time: the signals with the attribution behind them, the plane of time and frequency, and the neighbours.
const timeLeft = (width) => (width > 600 ? 88 : 66); // where the axis of time begins

// One row for each signal: with the chosen channel set if it is in it, else with its first.
function signalRows() {
  const { set } = picked();
  return meta.signals.map((first, which) => {
    const own = meta.signalOf.flatMap((one, channel) => (one === which ? [channel] : []));
    const channel = own.find((one) => meta.of[one] === set) ?? own[0];
    return { which, channel, name: meta.names[channel] };
  });
}

// Half the height of a row, in the unit of the signal: one for all of a type, so that they can be compared.
function reach(channel) {
  const alike = meta.signals.flatMap((one, which) => (meta.types[one] === meta.types[channel] ? [meta.steps[which] * meta.signalSteps] : []));
  const most = Math.max(...alike), size = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].map((part) => part * size).find((one) => one >= most * 0.999) ?? 10 * size;
}

function drawSignals() {
  if (!$("ex-signals")) return;
  const rows = signalRows(), high = rows.length > 8 ? 48 : 62, timed = has("time");
  const { pen, width, height } = canvas("ex-signals", rows.length * high + AXIS_HEIGHT);
  const left = timeLeft(width);
  const across = width - left - 4, at = (seconds) => left + (seconds / meta.length) * across;
  const values = rows.map(({ channel }) => (timed ? shown.steps("time", weights(), [channel]) : []));
  const most = Math.max(...values.map(largest)), chosen = picked().channels;
  rows.forEach(({ which, channel, name }, k) => {
    const middle = (k + 0.5) * high, half = high / 2 - 3;
    // raised: the upper half; lowered: the lower half
    values[k].forEach((value, j) => {
      const from = at(meta.timeEdges[j]), wide = at(Math.min(meta.timeEdges[j + 1], meta.length)) - from;
      pen.globalAlpha = most ? 0.85 * (Math.abs(value) / most) ** 0.7 : 0;
      pen.fillStyle = value >= 0 ? colours.raised : colours.lowered;
      pen.fillRect(from, value >= 0 ? middle - half : middle, wide + 0.3, half);
    });
    pen.globalAlpha = 1;
    if (meta.hasSignal) {
      const signal = shown.signal(which), scale = half / reach(channel);
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 0.9;
      curve(pen, Array.from(signal, (value, j) => [at((j / meta.nTimes) * meta.length), middle - Math.max(-half, Math.min(half, value * scale))]));
    } else line(pen, left, middle, width - 4, middle);
    pen.fillStyle = chosen.includes(channel) ? colours.ink : colours.soft;
    pen.font = `${chosen.includes(channel) ? "bold " : ""}12px system-ui, sans-serif`;
    write(pen, name, 2, middle - 7, left - 6);
    pen.font = "11px system-ui, sans-serif";
    if (meta.hasSignal) write(pen, `±${Number(reach(channel).toPrecision(3))}${meta.volts[channel] ? " µV" : ""}`, 2, middle + 8, left - 6);
  });
  drawSeconds(pen, at, height, rows.length * high);
  const words = [];
  if (timed) words.push(`Upper half of a row: it raised ${scoreWords()}; lower half: it lowered it; the fullest colour is ${plain(most)} ${meta.unit}.`);
  if (timed && N_SETS > 1) words.push(`Each channel set is explained by itself; what is in several is shown as it spoke with ${meta.sets[picked().set]}.`);
  if (meta.hasSignal) words.push(`Signals as the stager got them, at ${Math.round(meta.nTimes / meta.length)} samples a second, for display.`);
  $("ex-signals-key").textContent = words.join(" ");
}

function drawSeconds(pen, at, height, top) {
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colours.soft;
  for (let second = 0; second <= meta.length; second += 5) {
    line(pen, at(second), top, at(second), top + 4, colours.soft);
    const last = second + 5 > meta.length;
    write(pen, `${second}${last ? " s" : ""}`, at(second), height - 7, 40, last ? "right" : second ? "center" : "left");
  }
}

function drawPlane() {
  if (!$("ex-plane")) return;
  const n = meta.planeEdges.length - 1, columns = meta.planeTimes.length - 1, high = 15;
  const { pen, width, height } = canvas("ex-plane", n * high + 8 + AXIS_HEIGHT);
  const left = timeLeft(width);
  const across = width - left - 4, at = (seconds) => left + (seconds / meta.length) * across;
  const values = shown.steps("plane", weights(), picked().channels), most = largest(values), floor = n * high + 6;
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < columns; j++) {
      const from = at(meta.planeTimes[j]), wide = at(Math.min(meta.planeTimes[j + 1], meta.length)) - from;
      cell(pen, most ? values[k * columns + j] / most : 0, from, floor - (k + 1) * high, wide, high);
    }
  }
  pen.strokeStyle = colours.line;
  pen.strokeRect(left, floor - n * high, across, n * high);
  pen.fillStyle = colours.soft;
  pen.font = "11px system-ui, sans-serif";
  meta.planeEdges.forEach((edge, k) => write(pen, k === n ? `${edge} Hz` : String(edge), left - 5, floor - k * high + (k ? 0 : -3), left, "right"));
  drawSeconds(pen, at, height, floor);
  $("ex-plane-key").textContent = `${upper(picked().name)}. Plain cells raised ${scoreWords()}; cells with a ring lowered it; the fullest colour is ${plain(most)} ${meta.unit}. Told to ${meta.planeLevels} levels on each side of 0.`;
}

// What each epoch of the window did; a sample of windows has this, or all of a scaled context.
function drawContext() {
  const panel = $("ex-context-panel");
  if (!panel) return;
  const values = shown.context(weights(), picked().set);
  panel.hidden = values === null;
  if (!values) return;
  const n = meta.context.length, high = 16;
  const { pen, width, height } = canvas("ex-context", N_BANDS * high + 6 + AXIS_HEIGHT);
  const left = timeLeft(width);
  const wide = (width - left - 4) / n, most = largest(values.filter((_, j) => meta.context[Math.floor(j / N_BANDS)] !== 0)) || 1;
  bandNames().forEach((name, band) => {
    const y = 4 + band * high;
    for (let k = 0; k < n; k++) {
      const value = values[k * N_BANDS + band];
      if (Number.isFinite(value)) cell(pen, Math.max(-1, Math.min(1, value / most)), left + k * wide, y, wide - 1, high - 1);
    }
    pen.fillStyle = colours.ink;
    write(pen, name, left - 6, y + high / 2, left - 8, "right");
  });
  const every = Math.ceil(34 / wide);
  pen.font = "11px system-ui, sans-serif";
  meta.context.forEach((offset, k) => {
    if (offset % every) return;
    pen.fillStyle = offset ? colours.soft : colours.ink;
    write(pen, offset ? `${offset > 0 ? "+" : "−"}${Math.abs(offset)}` : "this", left + (k + 0.5) * wide, height - 8, 40, "center");
  });
  const from = meta.context.indexOf(0);
  pen.strokeStyle = colours.ink;
  if (from >= 0) pen.strokeRect(left + from * wide - 0.5, 3, wide, N_BANDS * high + 1);
  $("ex-context-key").textContent = `All channels of ${N_SETS > 1 ? meta.sets[picked().set] : "the stager"} together, by epochs before (−) and after (+) this one. Plain cells raised the score; cells with a ring lowered it; the fullest colour is ${plain(most)} ${meta.unit}, the most of any neighbour.`;
}

const bandNames = () => [...meta.bands.map((one) => one[0]), ...meta.outside];

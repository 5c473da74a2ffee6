// The night: hypnograms, what was explained, mean probabilities, and where to look.
const LEFT = 74, RIGHT = 8; // of the picture of the night
const STEP_HEIGHT = 13, CHANCES_HEIGHT = 64, FLAG_HEIGHT = 12, AXIS_HEIGHT = 18;
let background = null; // the picture without its cursor, which alone moves

// What can be looked for: in which epochs it is so, and its row in the picture.
const FLAGS = {
  explained: { label: "explained", holds: (epoch) => rowOf(epoch) >= 0 },
  channels: { label: "disagree", holds: disagrees },
  scorer: { label: "≠ scorer", holds: (epoch) => against(epoch) },
  unsure: { label: "unsure", holds: (epoch) => (night.ahead[epoch] ?? 1) < meta.unsure },
};

// Whether channel sets give an epoch different stages.
function disagrees(epoch) {
  const own = night.chosen[epoch].filter((stage) => stage >= 0);
  return own.some((stage) => stage !== own[0]);
}

// Whether the scorer gave an epoch another of the stager's stages.
function against(epoch) {
  const scored = night.scored[epoch], predicted = night.predicted[epoch];
  return scored < meta.stages.length && predicted >= 0 && scored !== predicted;
}

const hasScorer = () => night.scored.some((stage) => stage < meta.stages.length);
const flagsShown = () => Object.entries(FLAGS).filter(([name]) => (name !== "channels" || N_SETS > 1) && (name !== "scorer" || hasScorer()));

function atTime(width, seconds) {
  const first = night.onset[0], span = night.onset[night.onset.length - 1] + meta.length - first;
  return LEFT + ((seconds - first) / span) * (width - LEFT - RIGHT);
}

// The epoch at a place of the picture.
function epochAt(width, x) {
  const first = night.onset[0], span = night.onset[night.onset.length - 1] + meta.length - first;
  const seconds = first + ((x - LEFT) / (width - LEFT - RIGHT)) * span - meta.length / 2;
  let best = 0;
  night.onset.forEach((onset, k) => { if (Math.abs(onset - seconds) < Math.abs(night.onset[best] - seconds)) best = k; });
  return best;
}

function nightHeight() {
  return 6 + meta.order.length * STEP_HEIGHT + 8 + CHANCES_HEIGHT + 6 + flagsShown().length * FLAG_HEIGHT + AXIS_HEIGHT;
}

function drawNight() {
  const { pen, width, height } = canvas("ex-night", nightHeight());
  const ratio = window.devicePixelRatio || 1, key = [width, height, ratio, colours.paper].join();
  if (background?.key !== key) {
    drawBackground(pen, width, height);
    const kept = document.createElement("canvas");
    kept.width = $("ex-night").width;
    kept.height = $("ex-night").height;
    kept.getContext("2d").drawImage($("ex-night"), 0, 0);
    background = { key, kept };
  } else pen.drawImage(background.kept, 0, 0, width, height);
  const x = atTime(width, night.onset[state.epoch]), wide = Math.max(3, atTime(width, night.onset[state.epoch] + meta.length) - x);
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 2;
  pen.strokeRect(x - 1, 1, wide + 2, height - AXIS_HEIGHT - 1);
  pen.fillStyle = colours.ink;
  pen.beginPath();
  pen.moveTo(x + wide / 2 - 6, 0);
  pen.lineTo(x + wide / 2 + 6, 0);
  pen.lineTo(x + wide / 2, 8);
  pen.fill();
}

function drawBackground(pen, width, height) {
  const levels = Object.fromEntries(meta.order.map((stage, level) => [stage, level]));
  const top = 6, levelAt = (stage) => top + (levels[stage] + 0.5) * STEP_HEIGHT;
  pen.font = "11px system-ui, sans-serif";
  meta.order.forEach((stage, level) => {
    line(pen, LEFT, levelAt(stage), width - RIGHT, levelAt(stage));
    pen.fillStyle = colours.ink;
    write(pen, meta.stages[stage], LEFT - 6, top + (level + 0.5) * STEP_HEIGHT, LEFT - 8, "right");
  });
  if (hasScorer()) drawSteps(pen, width, night.scored.map((stage) => (stage < meta.stages.length ? stage : -1)), levelAt, colours.soft, 4, 0.55);
  drawSteps(pen, width, night.predicted, levelAt, colours.ink, 1.5, 1);
  const floor = top + meta.order.length * STEP_HEIGHT + 8 + CHANCES_HEIGHT;
  drawChances(pen, width, floor);
  pen.fillStyle = colours.ink;
  write(pen, "probability", LEFT - 6, floor - CHANCES_HEIGHT / 2, LEFT - 8, "right");
  flagsShown().forEach(([name, flag], k) => {
    const y = floor + 6 + k * FLAG_HEIGHT;
    pen.fillStyle = colours.ink;
    write(pen, flag.label, LEFT - 6, y + FLAG_HEIGHT / 2, LEFT - 8, "right");
    night.onset.forEach((onset, epoch) => { if (flag.holds(epoch)) drawFlag(pen, width, name, epoch, onset, y); });
  });
  drawHours(pen, width, height);
}

function drawFlag(pen, width, name, epoch, onset, y) {
  const x = atTime(width, onset), wide = Math.max(1.5, atTime(width, onset + meta.length) - x + 0.3);
  // hollow: explained, but its change of the score is within its error
  const told = name !== "explained" || night.rows[rowOf(epoch)].told;
  pen.fillStyle = colours.ink;
  if (told) pen.fillRect(x, y + 2, wide, FLAG_HEIGHT - 5);
  else {
    pen.fillRect(x, y + 2, wide, 1);
    pen.fillRect(x, y + FLAG_HEIGHT - 4, wide, 1);
  }
}

// Steps from stage to stage, broken where an epoch has none.
function drawSteps(pen, width, stages, levelAt, colour, thick, alpha) {
  pen.strokeStyle = colour;
  pen.lineWidth = thick;
  pen.globalAlpha = alpha;
  pen.beginPath();
  let before = -1;
  stages.forEach((stage, epoch) => {
    if (stage >= 0) {
      const y = levelAt(stage), x = atTime(width, night.onset[epoch]);
      if (before >= 0 && night.onset[epoch] - night.onset[epoch - 1] < 1.5 * meta.length) pen.lineTo(x, y);
      else pen.moveTo(x, y);
      pen.lineTo(atTime(width, night.onset[epoch] + meta.length), y);
    }
    before = stage;
  });
  pen.stroke();
  pen.globalAlpha = 1;
}

function drawChances(pen, width, floor) {
  night.onset.forEach((onset, epoch) => {
    if (night.mean[epoch][0] === null) return;
    const x = atTime(width, onset), wide = atTime(width, onset + meta.length) - x + 0.4;
    let y = floor;
    for (const stage of [...meta.order].reverse()) {
      const high = night.mean[epoch][stage] * CHANCES_HEIGHT;
      pen.fillStyle = colours.stages[stage];
      pen.fillRect(x, y - high, wide, high);
      y -= high;
    }
  });
}

function drawHours(pen, width, height) {
  const first = night.onset[0], last = night.onset[night.onset.length - 1] + meta.length, begins = meta.begins ?? 0;
  const every = [600, 1800, 3600, 7200, 14400].find((step) => ((last - first) / step) * 50 < width - LEFT) ?? 28800;
  pen.fillStyle = colours.soft;
  for (let time = Math.ceil((first + begins) / every) * every - begins; time <= last; time += every) {
    const x = atTime(width, time);
    line(pen, x, height - AXIS_HEIGHT, x, height - AXIS_HEIGHT + 4, colours.soft);
    if (x < width - 16) write(pen, clock(time, true), x, height - 7, 60, "center");
  }
}

function tellNight() {
  const key = $("ex-night-key");
  key.replaceChildren(hasScorer() ? "Above: staged (thin line), scored (thick grey). " : "Above: the stages. ", N_SETS > 1 ? `Below, the mean of ${N_SETS} channel sets:` : "Below, the probabilities:");
  for (const stage of meta.order) {
    const swatch = el("span", { class: "ex-swatch" });
    swatch.style.background = `var(--stage-${stage})`;
    key.append(swatch, meta.stages[stage]);
  }
  const hollow = night.rows.some((row) => !row.told);
  key.append(`. Unsure: its stage is ahead of the next by less than ${meta.unsure} of probability.`);
  if (hollow) key.append(" Hollow: explained, but its change of the score is within its error.");
  key.append(meta.begins === null ? " Time from the start of the recording." : " Time of day.");
}

// The next epoch of which something holds, round the end of the night; -1 if there is none.
function nextOf(name) {
  const n = night.row.length;
  for (let k = 1; k <= n; k++) if (FLAGS[name].holds((state.epoch + k) % n)) return (state.epoch + k) % n;
  return -1;
}

function nearestExplained() {
  const distance = (row) => Math.abs(row.number - state.epoch);
  return night.rows.reduce((best, row) => (distance(row) < distance(best) ? row : best)).number;
}

// The data of the page: what is known of the night, and chunks of explained epochs that are opened when they are needed.
"use strict";

const meta = JSON.parse(document.getElementById("ex-data-meta").textContent);
const N_CHANNELS = meta.channels.length, N_SETS = meta.sets.length, N_BANDS = meta.bands.length + meta.outside.length;
const TYPES = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, float32: Float32Array };
const layout = new Map(meta.chunk.layout.map((one) => [one.name, one]));
const N_TARGETS = layout.get("facts").shape[0];
const LARGEST_SUM = 32767; // of a band, in parts of its scale
const OPEN_CHUNKS = 8;
const opened = new Map();

const has = (name) => layout.has(name);
const sizeOf = (name) => layout.get(name).shape.reduce((a, b) => a * b, 1);

// Letters to bytes, and these unpacked, without a request.
async function unpack(id) {
  const letters = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const unpacker = new DecompressionStream("gzip"), writer = unpacker.writable.getWriter();
  // what goes wrong in writing goes wrong in reading too, and is told there
  writer.write(bytes).catch(() => {});
  writer.close().catch(() => {});
  return new Response(unpacker.readable).arrayBuffer();
}

async function readNight() {
  return JSON.parse(new TextDecoder().decode(await unpack("ex-data-night")));
}

function openChunk(k) {
  if (!opened.has(k)) {
    opened.set(k, unpack(`ex-data-${k}`).then((buffer) => parse(buffer, Math.min(meta.perChunk, night.rows.length - k * meta.perChunk))));
    if (opened.size > OPEN_CHUNKS) opened.delete(opened.keys().next().value);
  }
  return opened.get(k);
}

function parse(buffer, n) {
  const arrays = {};
  let from = 0;
  for (const { name, type } of meta.chunk.layout) {
    const bytes = n * sizeOf(name) * TYPES[type].BYTES_PER_ELEMENT;
    arrays[name] = new TYPES[type](buffer.slice(from, from + bytes));
    from += bytes;
  }
  if (arrays.signal) {
    // differences from one sample to the next, which wrap round a byte
    for (let start = 0; start < arrays.signal.length; start += meta.nTimes) {
      for (let j = start + 1; j < start + meta.nTimes; j++) arrays.signal[j] += arrays.signal[j - 1];
    }
  }
  return arrays;
}

// One explained epoch. What is asked is a sum over targets with weights, such as one stage less another, and over channels.
async function readEpoch(row) {
  const k = Math.floor(row / meta.perChunk), i = row % meta.perChunk, arrays = await openChunk(k);
  const scale = (name, target, channel) => arrays[`${name}_scale`][(i * N_TARGETS + target) * N_SETS + meta.of[channel]];

  // Attribution in steps of "frequency" or "time", or in the cells of the "plane".
  function steps(name, weights, channels) {
    const n = sizeOf(name) / N_TARGETS / N_CHANNELS, found = new Float64Array(n);
    const levels = name === "plane" ? meta.planeLevels : meta.levels;
    for (const [target, weight] of weights) {
      for (const channel of channels) {
        const level = (weight * scale(name, target, channel)) / levels;
        const start = ((i * N_TARGETS + target) * N_CHANNELS + channel) * n;
        for (let j = 0; j < n; j++) found[j] += arrays[name][start + j] * level;
      }
    }
    return found;
  }

  // How far a sum over any stretch of these steps may be off.
  function roundedBy(name, weights, channels) {
    let sum = 0;
    for (const [target, weight] of weights) {
      for (const channel of channels) sum += (Math.abs(weight) * scale(name, target, channel)) / meta.levels;
    }
    return sum;
  }

  // Sums of the usual bands as the result has them, and their errors; NaN where none is known.
  function bands(weights, channels) {
    const sums = new Float64Array(N_BANDS), errors = new Float64Array(N_BANDS);
    for (const [target, weight] of weights) {
      for (const channel of channels) {
        const level = scale("band", target, channel) / LARGEST_SUM;
        const start = ((i * N_TARGETS + target) * N_CHANNELS + channel) * N_BANDS;
        for (let b = 0; b < N_BANDS; b++) {
          const error = arrays.band_errors[start + b];
          sums[b] += weight * level * arrays.bands[start + b];
          errors[b] += error < 0 ? NaN : Math.abs(weight) * level * error;
        }
      }
    }
    return { sums, errors };
  }

  // Score, score of the baseline, the error of all bands together, and that of the change of the score.
  function facts(weights, set) {
    const sums = [0, 0, 0, 0];
    for (const [target, weight] of weights) {
      const start = ((i * N_TARGETS + target) * N_SETS + set) * 4;
      for (let j = 0; j < 4; j++) sums[j] += (j < 2 ? weight : Math.abs(weight)) * arrays.facts[start + j];
    }
    if (weights.length === 2 && arrays.pair_errors) {
      const [[a], [b]] = weights;
      sums[3] = arrays.pair_errors[((i * N_TARGETS + a) * N_TARGETS + b) * N_SETS + set];
    }
    return { score: sums[0], baseline: sums[1], error: sums[2], changeError: sums[3] };
  }

  // What each epoch of the window did, by offset and band; null where there is no such map of this epoch.
  function context(weights, set) {
    if (!arrays.context) return null;
    const n = meta.context.length * N_BANDS, found = new Float64Array(n);
    for (const [target, weight] of weights) {
      const level = (weight * arrays.context_scale[(i * N_TARGETS + target) * N_SETS + set]) / meta.levels;
      const start = ((i * N_TARGETS + target) * N_SETS + set) * n;
      for (let j = 0; j < n; j++) found[j] += arrays.context[start + j] === -128 ? NaN : arrays.context[start + j] * level;
    }
    return found.some(Number.isFinite) ? found : null;
  }

  // A signal in its unit, and the power of one, or the mean of several, in dB.
  function signal(which) {
    const start = (i * meta.signals.length + which) * meta.nTimes;
    return Float64Array.from(arrays.signal.subarray(start, start + meta.nTimes), (value) => value * meta.steps[which]);
  }

  function power(which) {
    const n = meta.freqEdges.length - 1;
    return meanLevel(which.map((one) => {
      const start = (i * meta.signals.length + one) * n;
      return Array.from(arrays.power.subarray(start, start + n), (value) => (value - 255) * 0.5 + meta.loudest[one]);
    }));
  }

  return { row, steps, roundedBy, bands, facts, context, signal, power };
}

// Levels in dB as the level of the mean of what they are of.
function meanLevel(levels) {
  return levels[0].map((_, j) => 10 * Math.log10(levels.reduce((sum, one) => sum + 10 ** (one[j] / 10), 0) / levels.length));
}

// What lies next is opened while there is nothing else to do.
function openAhead(row) {
  const k = Math.floor(row / meta.perChunk), last = Math.ceil(night.rows.length / meta.perChunk) - 1;
  const later = window.requestIdleCallback || ((act) => setTimeout(act, 50));
  for (const next of [k + 1, k - 1]) if (next >= 0 && next <= last && !opened.has(next)) later(() => openChunk(next));
}

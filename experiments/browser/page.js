// The page: takes what the form says to the worker, keeps every state that comes back, and shows them. A run
// has a panel per process; a panel is {process, states: [{x, level}], answer, milliseconds}.
'use strict';

// The smallest module with a vector instruction.
const simd = [
  0, 97, 115, 109, 1,  0, 0, 0, 1,  5, 1,   96, 0,   1,  123, 3,
  2, 1,  0,   10,  10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11
];

let compiled, worker, ready, given;  // the module; who runs it, from when on, and the models that it has
let turn = 0;                        // counts what was asked for: of several the last is sampled
let panels = [], waiting = [];       // waiting: the panels that are still to be sampled
let picture = 0, pixel = [14, 14], hidden = new Uint8Array(area);

/// The bytes that assemble.js packed under this name.
async function unpacked(name) {
  const {dataset, textContent} = $(name), rows = Number(dataset.rows), size = Number(dataset.size);
  const zipped = Uint8Array.from(atob(textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream('gzip'));
  const arranged = new Uint8Array(await new Response(stream).arrayBuffer());
  const bytes = new Uint8Array(size), length = arranged.length / rows;
  for (let i = 0; i < size; ++i) bytes[i] = arranged[i % rows * length + Math.floor(i / rows)];
  return bytes;
}

/// A worker that holds the library and no model yet.
function newWorker() {
  given = new Set();
  const source = new Blob([$('worker').textContent], {type: 'text/javascript'});
  const address = URL.createObjectURL(source);
  ready = new Promise((started) => {
    worker = new Worker(address);
    worker.onmessage = ({data}) => {
      if (!data.ready) return told(data);
      URL.revokeObjectURL(address);
      started();
    };
    worker.onerror = (error) => say(`The worker failed: ${error.message}`, true);
    worker.postMessage({module: compiled});
  });
}

function say(text, wrong = false) {
  $('status').textContent = text;
  $('status').className = wrong ? 'error' : '';
}

const doing = (process) => process === 'gbm' ? 'Multiplying' : 'Adding';

async function askNext() {
  $('stop').disabled = waiting.length === 0;
  if (!waiting.length) return finished();
  const panel = waiting[0], {request} = panel, path = request.model;
  if (!given.has(path)) {
    const bytes = await unpacked(path);
    if (waiting[0] !== panel) return;  // another run has begun meanwhile
    given.add(path);
    worker.postMessage({path, bytes}, [bytes.buffer]);
  }
  worker.postMessage({request});
}

/// What the worker says of the panel that waits first.
function told(data) {
  const panel = waiting[0];
  if (!panel) return;
  if (data.x) {
    const last = panel.states[panel.states.length - 1], state = {x: data.x, level: data.level};
    if (last && last.level === data.level)
      panel.states[panel.states.length - 1] = state;  // asked again
    else
      panel.states.push(state);
    panel.evaluations = data.evaluations;
    drawSoon();
    return;
  }
  Object.assign(panel, data);
  waiting.shift();
  if (data.answer.error) {
    waiting = [];
    say(data.answer.error, true);
  }
  askNext();
}

function finished() {
  drawSoon();
  if (panels.some((p) => p.answer.error)) return;
  const counted = (n, what) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
  const sentence = ({process, answer, milliseconds, states}) =>
    `${doing(process)}: ${counted(answer.evaluations, 'evaluation')} of the network for each picture, ` +
    `${Math.round(milliseconds)} ms; ${answer.sign_changes.toLocaleString('en')} of ` +
    `${counted(states[0].x.length, 'sign')} changed.`;
  say(panels.map(sentence).join(' '));
}

async function start(toComplete = null) {
  if (waiting.length) halt();
  const mine = ++turn;
  await ready;
  if (mine !== turn) return;
  const asked = form(), processes = asked.beside ? ['gbm', 've'] : ['gbm'];
  panels = processes.map((process) => ({process, states: [], request: request(asked, process, toComplete)}));
  waiting = [...panels];
  $('panels').replaceChildren(...processes.map(newPanel));
  $('way').value = $('way').max = 0;
  followed = true;
  $('command').textContent = processes.map((process) => command(asked, process, toComplete)).join('\n');
  const {step, sum} = samplers[asked.sampler];
  $('equation').textContent = asked.beside ? `${step}\n\nand where it adds\n\n${sum}` : step;
  picture = Math.min(picture, asked.count - 1);
  $('picture').max = asked.count - 1;
  say('Sampling …');
  askNext();
}

/// Ends the worker where it is, and has a new one.
function halt() {
  ++turn;
  worker.terminate();
  waiting = [];
  newWorker();
}
function stop() {
  halt();
  $('stop').disabled = true;
  say('Stopped.');
}

/// Noise, what was done to it, and what came: three canvases.
function newPanel(process) {
  const panel = document.createElement('div');
  panel.className = `panel ${process}`;
  const [sign, noise, change, product] = process === 'gbm' ?
    ['×', 'noise X_T, by its logarithm', 'positive factor, by its logarithm', 'product'] :
    ['+', 'noise x_T', 'what was added', 'sum'];
  const figure = (name, title) =>
    `<div><canvas data-name="${name}" role="img" aria-label="${title}"></canvas>` +
    `<small>${title}</small></div>`;
  panel.innerHTML = `<div class="product">${figure('noise', noise)}<span>${sign}</span>` +
    `${figure('change', change)}<span>=</span>${figure('product', product)}</div>`;
  panel.querySelector('[data-name=product]').onclick = (event) => {
    const canvas = event.currentTarget, columns = canvas.width / side, box = canvas.getBoundingClientRect();
    const at = (v, from, length, count) => Math.min(count - 1, Math.floor((v - from) / length * count));
    const row = at(event.clientY, box.top, box.height, canvas.height / side);
    choose(row * columns + at(event.clientX, box.left, box.width, columns));
  };
  return panel;
}

let drawn = true, followed = true;  // followed: the slider stands at the newest state
function drawSoon() {
  if (!drawn) return;
  drawn = false;
  requestAnimationFrame(() => {
    drawn = true;
    draw();
  });
}

function draw() {
  const longest = Math.max(0, ...panels.map((p) => p.states.length - 1));
  $('way').max = longest;
  if (followed) $('way').value = longest;
  const now = Number($('way').value);
  panels.forEach(({process, states}, p) => {
    if (!states.length) return;
    const canvas = (name) => $('panels').children[p].querySelector(`[data-name=${name}]`);
    const {x, level} = states[Math.min(now, states.length - 1)], n = x.length / area, noise = states[0];
    drawGrid(canvas('noise'), n, ofNoise(noise.x, noise.level, process));
    drawGrid(canvas('change'), n, ofChange(noise.x, x, noise.level, process));
    drawGrid(canvas('product'), n, bright(x));
    if (p === 0) $('level').value = `noise level ${level.toPrecision(3)}`;
    if (waiting[0] === panels[p]) say(`${doing(process)}: evaluation ${panels[p].evaluations} …`);
  });
  drawChosen(now);
}

function drawChosen(now) {
  const states = panels.length ? panels[0].states : [], at = picture * area + pixel[1] * side + pixel[0];
  drawClose($('close'), states.length && states[Math.min(now, states.length - 1)].x, picture, pixel, hidden);
  const curves = panels.map(({process, states: all}) => ({process, values: all.map(({x}) => x[at])}));
  const logs = curves.map((c) => c.process === 'gbm' ? {...c, values: c.values.map(Math.log)} : c);
  const path = (svg, title, all) => {
    const values = all.flatMap((c) => c.values);
    drawPath(svg, title, all, Math.min(...values, 0), Math.max(...values, 1), now);
  };
  path($('path'), 'x of the pixel', curves);
  path($('log-path'), 'log x where it multiplies, x where it adds', logs);
  const some = hidden.some(Boolean);
  $('complete').disabled = !some || !states.length;
  $('clear').disabled = !some;
}

/// Of the columns or rows of a picture the nearest to v.
const inside = (v) => Math.min(side - 1, Math.max(0, v));

function choose(number) {
  picture = Math.min(Number($('picture').max), Math.max(0, number));
  $('picture').value = picture;
  drawSoon();
}

/// Hides the pixels about this one.
function hide([column, row]) {
  for (let i = 0; i < area; ++i)
    if (Math.hypot(i % side - column, Math.floor(i / side) - row) < 2.5) hidden[i] = 1;
  drawSoon();
}

/// Completes what is hidden of the picture chosen, of which the rest is known in the 256 greys of a file.
function complete() {
  const {x} = panels[0].states[panels[0].states.length - 1];
  const grey = (i) => greyLevel(x[picture * area + i] - 1) / 255;
  const known = Array.from({length: area}, (_, i) => grey(i)), mask = Array.from(hidden, (h) => 1 - h);
  if ($('sampler').value === 'consistency') $('sampler').value = 'dpm-solver', fit(true);
  $('save-picture').href = pngOf(1, (i) => known[i]);
  $('save-mask').href = pngOf(1, (i) => hidden[i]);
  $('saved').hidden = false;
  start({known, mask});
}

function listen() {
  const changed = (event) => {
    fit(event.target.id === 'sampler');
    $('saved').hidden = true;
    start();
  };
  for (const id of ['data', 'sampler', 'steps', 'eta', 'class', 'guidance', 'count', 'seed', 'beside'])
    $(id).onchange = changed;
  for (const id of ['steps', 'eta', 'guidance']) $(id).oninput = () => fit(false);
  $('controls').onsubmit = (event) => {
    event.preventDefault();
    start();
  };
  $('another').onclick = () => {
    $('seed').value = Number(form().seed) + 1;
    start();
  };
  $('stop').onclick = stop;
  $('way').oninput = () => {
    followed = $('way').value === $('way').max;
    drawSoon();
  };
  $('copy').onclick = () => {
    getSelection().selectAllChildren($('command'));
    navigator.clipboard?.writeText($('command').textContent).catch(() => {});  // it is selected
  };
  $('picture').onchange = () => choose(Math.trunc(Number($('picture').value)) || 0);
  $('complete').onclick = complete;
  $('clear').onclick = () => {
    hidden.fill(0);
    drawSoon();
  };
  const moved = (event) => {
    const box = $('close').getBoundingClientRect();
    const at = (v, from, length) => inside(Math.floor((v - from) / length * side));
    pixel = [at(event.clientX, box.left, box.width), at(event.clientY, box.top, box.height)];
    if ($('brush').checked) hide(pixel);
    drawSoon();
  };
  $('close').onpointerdown = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    moved(event);
  };
  $('close').onpointermove = (event) => {
    if (event.buttons) moved(event);
  };
  $('close').onkeydown = (event) => {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (!way && event.key !== ' ') return;
    event.preventDefault();
    if (way) pixel = pixel.map((v, k) => inside(v + way[k]));
    if (event.key === ' ' || $('brush').checked) hide(pixel);
    drawSoon();
  };
}

async function open() {
  if (!WebAssembly.validate(new Uint8Array(simd)) || typeof DecompressionStream === 'undefined') {
    $('lacking').hidden = false;
    return;
  }
  fillForm();
  listen();
  compiled = await WebAssembly.compile(await unpacked('sampler.wasm'));
  newWorker();
  start();
}
open();

// The page in Chromium: that it samples what `dale sample` samples, that each control does what it says, and
// that nothing leaves it.  node tests/page/test.js DALE NUMBERS PAGE CHROMIUM FOLDER; screenshots and what
// was sampled are left in FOLDER. Times are told, not judged.
'use strict';
const {execFileSync} = require('child_process');
const {mkdirSync, readFileSync, rmSync, writeFileSync} = require('fs'), {join, resolve} = require('path');
const {browse} = require('./chromium.js');
const [dale, numbers, page, chromium, folder] = process.argv.slice(2).map((path) => resolve(path));

const x64 = process.arch === 'x64';  // which has a level without fused multiply-adds, as the page
let failed = 0, passed = 0;
function check(holds, what) {
  if (holds)
    ++passed;
  else
    ++failed, console.log(`FAILED: ${what}`);
}
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const median = (all) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)];

/// The float32 numbers of an .npy file.
function readNpy(path) {
  const bytes = readFileSync(path), begin = 10 + bytes.readUInt16LE(8);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + begin, bytes.byteOffset + bytes.length));
}

let b;
async function until(expression, what, seconds = 60) {
  for (let i = 0; i < 20 * seconds; ++i, await pause(50))
    if (await b.evaluate(expression)) return;
  throw new Error(
    `waited ${seconds} s for ${what}; the page says: ${await b.evaluate('$("status").textContent')}`);
}
const done = 'panels.length && !waiting.length && panels.every((p) => p.answer)';
/// As a reader would: the value, then the event.
async function set(values) {
  for (const [id, value] of Object.entries(values)) {
    await b.evaluate(`{ const e = $('${id}');
      if (e.type === 'checkbox') e.checked = ${value === true}; else e.value = ${JSON.stringify(value)};
      e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }`);
    await pause(20);
  }
  await until(done, `${JSON.stringify(values)}`);
}
const click = (id) => b.evaluate(`$('${id}').click()`);
const text = (id) => b.evaluate(`$('${id}').textContent`);
/// Of panel p: the brightness of all pixels at the end.
const pixels = async (p = 0) => Float32Array.from(
  await b.evaluate(`Array.from(panels[${p}].states[panels[${p}].states.length - 1].x, (v) => v - 1)`));

/// What the page's own command line gives natively, with fused multiply-adds or (at level v2) without.
function native(command, level = '') {
  const words = command.split(' ').slice(2), out = join(folder, 'native');
  rmSync(out, {recursive: true, force: true});
  execFileSync(
    dale, ['sample', ...words, '--threads', '1', '--out', out],
    {cwd: folder, env: {...process.env, DALE_LEVEL: level}, stdio: 'pipe'});
  return {
    pixels: readNpy(join(out, 'samples.npy')),
    about: JSON.parse(readFileSync(join(out, 'sample.json')))
  };
}
/// Greys by which b differs from a: the most, and how many pixels.
function differ(a, b) {
  let most = a.length === b.length ? 0 : Infinity, count = 0, bits = 0;
  a.forEach((v, i) => {
    const greys = Math.abs(Math.round(255 * v) - Math.round(255 * b[i]));
    most = Math.max(most, greys);
    count += greys > 0;
    bits += v !== b[i];
  });
  return {most, count, bits};
}

async function shoot(name, width, dark) {
  await b.call(
    'Emulation.setDeviceMetricsOverride', {width, height: 900, deviceScaleFactor: 1, mobile: width < 500});
  const features = [{name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'}];
  await b.call('Emulation.setEmulatedMedia', {features});
  await pause(300);
  const {data} = await b.call('Page.captureScreenshot', {captureBeyondViewport: true});
  writeFileSync(join(folder, name), Buffer.from(data, 'base64'));
  check(await b.evaluate('document.documentElement.scrollWidth') <= width, `at ${width} pixels it is wider`);
}

async function opens() {
  await b.call('Page.navigate', {url: `file://${page}`});
  await until(`typeof panels !== 'undefined' && ${done}`, 'the first pictures');
  const first =
    await b.evaluate(`new Promise((done) => requestAnimationFrame(() => done(performance.now())))`);
  console.log(
    `first pictures at most ${Math.round(first)} ms after opening, ${readFileSync(page).length} bytes`);
  check(readFileSync(page).length <= 8e6, 'the page has more than 8 MB');
}

async function samplesAsDale() {
  const kinds = [
    ['consistency', 2], ['dpm-solver', 20], ['probability-flow', 10], ['ddim', 20], ['ancestral', 40],
    ['dale-langevin', 50], ['eta', 30], ['stochastic', 9], ['unconstrained', 50]
  ];
  await set({count: '16', seed: '5'});
  for (const [sampler, steps] of kinds) {
    await set({sampler, steps});
    for (const beside of await b.evaluate('$("beside-row").hidden') ? [false] : [true]) await set({beside});
    const commands = (await text('command')).split('\n');
    for (let p = 0; p < commands.length; ++p) {
      const ours = await pixels(p), fused = native(commands[p]),
            twice = x64 ? native(commands[p], 'v2') : fused;
      const here = differ(ours, fused.pixels), exact = differ(ours, twice.pixels),
            own = differ(fused.pixels, twice.pixels);
      console.log(
        `${commands[p].slice(18)}: ${here.count} of ${ours.length} pixels differ by ${here.most} ` +
        `grey; without fused multiply-adds ${exact.bits} numbers differ (natively with against without: ${
          own.count} by ${own.most})`);
      check(here.most <= 1, `the page and ${commands[p]} differ by ${here.most} greys`);
      check(
        exact.bits === 0 || !x64, `the page and ${commands[p]} at level v2 differ in ${exact.bits} numbers`);
      check(await b.evaluate(`panels[${p}].answer.evaluations`) === fused.about.evaluations, 'evaluations');
      if (sampler === 'unconstrained')
        check(
          await b.evaluate(`panels[${p}].answer.sign_changes`) === twice.about.sign_changes,
          'changes of sign');
      else if (p === 0)
        check(await b.evaluate('panels[0].answer.sign_changes') === 0, 'a sign changed');
    }
  }
  const theirs = JSON.parse(execFileSync(numbers)), ours = await b.evaluate(`new Promise((done) => {
    const usual = worker.onmessage;
    worker.onmessage = ({data}) => { worker.onmessage = usual; done(data.answer); };
    worker.postMessage({numbers: 4096}); })`);
  check(JSON.stringify(ours.integers) === JSON.stringify(theirs.integers), 'random integers');
  check(JSON.stringify(ours.normals) === JSON.stringify(theirs.normals), 'normals');
}

async function controlsWork() {
  await set({sampler: 'dpm-solver', steps: 10, count: '16', seed: '1', beside: false});
  const garments = await pixels();
  await set({data: 'mnist'});
  check((await text('command')).includes('--dataset mnist'), 'digits in the command');
  check(differ(garments, await pixels()).most > 50, 'digits are garments');
  check(
    differ(await pixels(), native(await text('command')).pixels).most <= 1,
    'digits are those of dale sample');
  await set({data: 'fashion-mnist', class: '1', guidance: 2});
  check((await text('command')).endsWith('--classes 1 --guidance 2'), 'a class in the command');
  check(differ(await pixels(), native(await text('command')).pixels).most <= 1, 'a class, as dale sample');
  await set({class: 'all'});
  check((await text('command')).includes('--classes 0,1,2,3,4,5,6,7,8,9'), 'classes in turn');
  await set({class: ''});
  check(differ(garments, await pixels()).bits === 0, 'the same settings give the same pictures');
  await click('another');
  await until(done, 'another seed');
  check((await text('command')).includes('--seed 2'), 'another seed');
  await set({sampler: 'eta', eta: 1});
  check((await text('command')).includes('--eta 1') && (await text('equation')).includes('(IV.21)'), 'η');

  // The way back to noise: other pictures, and the canvas shows them.
  const shown = () => b.evaluate('document.querySelector("[data-name=product]").toDataURL()');
  const end = await shown();
  await b.evaluate('$("way").value = 0; $("way").dispatchEvent(new Event("input"))');
  await pause(200);
  check(await shown() !== end && (await text('level')) !== '', 'the slider shows an earlier state');
  await b.evaluate('$("way").value = $("way").max; $("way").dispatchEvent(new Event("input"))');
  await pause(200);
  check(await shown() === end, 'and the end again');
  await b.evaluate('$("way").value = 0; $("way").dispatchEvent(new Event("input"))');
  await click('another');
  await until(done, 'another seed');
  await pause(200);
  check(
    await b.evaluate('$("way").value === $("way").max && $("way").value > 0'),
    'a new run is shown to its end');

  // By keyboard: a pixel, its path, and what is hidden there.
  await b.evaluate('$("close").focus()');
  const press = async (key, code = key) => {
    await b.call('Input.dispatchKeyEvent', {type: 'keyDown', key, code, text: key === ' ' ? ' ' : undefined});
    await b.call('Input.dispatchKeyEvent', {type: 'keyUp', key, code});
  };
  const path = await b.evaluate('$("log-path").innerHTML');
  await press('ArrowLeft');
  await press('ArrowUp');
  await pause(200);
  check(await b.evaluate('pixel.join()') === '13,13', 'arrow keys move the pixel');
  check(await b.evaluate('$("log-path").innerHTML') !== path, 'its path is another');
  await set({sampler: 'dpm-solver', steps: 10, picture: 3});
  check(await b.evaluate('picture') === 3, 'a picture by its number');
  const before = await pixels();
  await press(' ', 'Space');
  await pause(200);
  check(!await b.evaluate('$("complete").disabled'), 'something is hidden');
  await click('complete');
  await until(done, 'completions');
  for (const part of ['picture', 'mask']) {
    const url = await b.evaluate(`$('save-${part}').href`);
    writeFileSync(join(folder, `${part}.png`), Buffer.from(url.split(',')[1], 'base64'));
  }
  const after = await pixels(), hidden = await b.evaluate('Array.from(hidden)'), area = 784;
  check(
    hidden.every(
      (h, i) => h || Math.round(255 * after[5 * area + i]) === Math.round(255 * before[3 * area + i])),
    'what is known stays');
  check(
    hidden.some((h, i) => h && after[5 * area + i] !== before[3 * area + i]), 'what is hidden is made anew');
  check(differ(after, native(await text('command')).pixels).most <= 1, 'completed as dale sample does');
  await click('clear');
  check(!await b.evaluate('hidden.some(Boolean)'), 'shown again');

  // Stopping is at once, and one can go on.
  await set({sampler: 'dale-langevin', steps: '200'});
  await b.evaluate('$("count").value = "64"; start()');
  await pause(500);
  const begun = Date.now();
  await click('stop');
  await until('$("stop").disabled && !waiting.length', 'the stop', 5);
  console.log(`stopped and ready after ${Date.now() - begun} ms`);
  check(await b.evaluate('panels[0].states.length') < 150, 'it went on to the end');
  await set({sampler: 'consistency', steps: 2});
  check((await text('status')).includes('2 evaluations'), 'it samples after a stop');
  await click('copy');
  check(await b.evaluate('getSelection().toString()') === await text('command'), 'the command is selected');
}

async function speedAndMemory() {
  await set({sampler: 'consistency', steps: 2, count: '64'});
  const page = [], alone = [], heap = [];
  for (let i = 0; i < 16; ++i) {
    await set({seed: String(i)});
    page.push(await b.evaluate('panels[0].milliseconds'));
    heap.push(await b.evaluate('panels[0].heap'));
    if (i < 7) alone.push(1000 * native(await text('command')).about.seconds);
  }
  check(heap[15] === heap[1], `memory grew from ${heap[1]} to ${heap[15]} bytes`);
  const [ours, theirs] = [median(page), median(alone)];
  console.log(
    `64 garments by two evaluations: ${ours.toFixed(0)} ms in the page, ${theirs.toFixed(0)} ms by dale ` +
    `sample on one thread (${(ours / theirs).toFixed(2)} times); memory ${heap[15] / 2 ** 20} MiB`);
}

async function main() {
  mkdirSync(folder, {recursive: true});
  b = await browse(chromium, join(folder, 'profile'));
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await b.call(`${domain}.enable`);
  await b.call(
    'Emulation.setDeviceMetricsOverride', {width: 1280, height: 900, deviceScaleFactor: 1, mobile: false});
  await opens();
  await samplesAsDale();
  await controlsWork();
  await speedAndMemory();
  await set({sampler: 'dpm-solver', steps: 20});
  await set({beside: true});
  await shoot('page-1280.png', 1280, false);
  await shoot('page-390.png', 390, true);
  const unnamed = await b.evaluate(`[...document.querySelectorAll('input, select, button, canvas, svg')]
    .filter((e) => !e.labels?.length && !e.textContent.trim() && !e.getAttribute('aria-label'))
    .map((e) => e.id || e.outerHTML)`);
  check(unnamed.length === 0, `without a name for a screen reader: ${unnamed}`);
  const asked =
    b.events.filter((e) => e.method === 'Network.requestWillBeSent').map((e) => e.params.request.url);
  check(asked.every((url) => /^(data|blob|file|about):/.test(url)), `requests: ${asked}`);
  const wrong =
    b.events.filter((e) => e.method === 'Runtime.exceptionThrown' || e.method === 'Log.entryAdded');
  check(wrong.length === 0, `the console complains: ${JSON.stringify(wrong.map((e) => e.params))}`);
  check(
    await b.evaluate(`fetch('https://example.org').then(() => false, () => true)`), 'a request can leave it');
  const {identifier} =
    await b.call('Page.addScriptToEvaluateOnNewDocument', {source: 'WebAssembly.validate = () => false'});
  await b.call('Page.reload');
  await until('!document.getElementById("lacking")?.hidden', 'what the page needs');
  await b.call('Page.removeScriptToEvaluateOnNewDocument', {identifier});
}

main().catch((error) => check(false, error.stack)).finally(() => {
  b?.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
});

// What can be asked for: the samplers with their limits and equations, and what the form says as a request to
// the library and as a command line.
'use strict';

const $ = (id) => document.getElementById(id);

// Each: name, numbers of steps (least, usual, most), its step for a process that multiplies, and for one that
// adds where there is another form. D is the denoiser, Δ = s² − s′², Z normal.
const flow = 'dy/ds = (y − D(y; s))/s by Heun’s rule: two evaluations per step, one for the last     (IV.22)';
const samplers = {
  consistency: {
    title: 'one multiplication (consistency)',
    steps: [1, 1, 3],
    step: 'X = X_T ∘ exp( f(log X_T; s_max) − log X_T )     (IV.29)\n' +
      'each further step multiplies by new noise of a lower level, and asks f again',
  },
  'dpm-solver': {
    title: 'DPM-Solver++(2M)',
    steps: [2, 20, 40],
    adds: true,
    step: 'X ← X^(s′/s) ∘ exp( (1 − s′/s) D̃ ),   D̃ = D + (D − D_before)/2r     (IV.23)',
    sum: 'x ← (s′/s) x + (1 − s′/s) D̃,   D̃ = D + (D − D_before)/2r     (IV.23)',
  },
  'probability-flow': {
    title: 'probability flow (Heun)',
    steps: [1, 10, 20],
    adds: true,
    step: flow + ',  y = log x',
    sum: flow + ',  y = x',
  },
  ddim: {
    title: 'DDIM',
    steps: [2, 20, 40],
    adds: true,
    step: 'X ← X^(s′/s) ∘ exp( (1 − s′/s) D )     (IV.18)',
    sum: 'x ← D + (s′/s)(x − D)     (IV.18)',
  },
  ancestral: {
    title: 'ancestral',
    steps: [10, 40, 200],
    adds: true,
    step: 'X ← exp( D + (s′²/s²)(log X − D) + √Δ (s′/s) Z )     (IV.19)',
    sum: 'x ← D + (s′²/s²)(x − D) + √Δ (s′/s) Z     (IV.19)',
  },
  'dale-langevin': {
    title: 'Dale–Langevin',
    steps: [20, 100, 200],
    step: 'X ← X ∘ exp( Δ(1 + h) + √Δ Z ),   h = x ∘ ∇ log p(x)     (IV.20)',
  },
  eta: {
    title: 'between flow and Dale–Langevin (η)',
    steps: [20, 50, 200],
    step: 'X ← exp( D + (1 − ½(1 + η²)Δ/s²)(log X − D) + η√Δ Z )     (IV.21)',
  },
  stochastic: {
    title: 'stochastic (EDM)',
    steps: [2, 18, 20],
    adds: true,
    step: 'noise is raised to ŝ = (1 + γ)s by √(ŝ² − s²) Z in log x     (IV.24),   then a step of (IV.22)',
    sum: 'noise is raised to ŝ = (1 + γ)s by √(ŝ² − s²) Z in x     (IV.24),   then a step of (IV.22)',
  },
  unconstrained: {
    title: 'unconstrained: signs may change',
    steps: [20, 100, 200],
    step: 'X ← X ∘ ( 1 − δμ + 2δσ² + δσ²h + √δ σ Z )     (IV.26)',
  },
};
const garments =
  ['T-shirt', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'];

const classed = (form) => form.class !== '';

/// What the form says now.
function form() {
  const sampler = $('sampler').value;
  return {
    data: $('data').value,
    sampler,
    steps: Number($('steps').value),
    eta: Number($('eta').value),
    class: $('class-row').hidden ? '' : $('class').value,
    guidance: Number($('guidance').value),
    count: Number($('count').value),
    seed: String(Math.max(0, Math.trunc(Number($('seed').value)) || 0)),
    beside: !$('beside-row').hidden && $('beside').checked,
  };
}

/// The model's file of a process.
function modelOf(asked, process) {
  if (asked.sampler === 'consistency') return `consistency-${asked.data}.safetensors`;
  return `${process}${classed(asked) ? '-classes' : ''}-${asked.data}.safetensors`;
}

/// What the library is asked, for a process; `hidden` is a picture to complete {known, mask} or nothing.
function request(asked, process, hidden) {
  const {sampler, steps, count, seed} = asked,
                                r = {model: modelOf(asked, process), sampler, steps, count, seed};
  if (asked.sampler === 'eta') r.eta = asked.eta;
  if (classed(asked)) {
    r.classes = asked.class === 'all' ? garments.map((_, c) => c) : [Number(asked.class)];
    r.guidance = asked.guidance;
  }
  return {...r, ...hidden};
}

/// `dale sample …` that makes the same.
function command(asked, process, hidden) {
  let text = 'build/dale sample';
  if (asked.data !== 'fashion-mnist') text += ` --dataset ${asked.data}`;
  if (process !== 'gbm') text += ` --process ${process}`;
  text += ` --sampler ${asked.sampler} --steps ${asked.steps} --count ${asked.count} --seed ${asked.seed}`;
  if (asked.sampler === 'eta') text += ` --eta ${asked.eta}`;
  if (classed(asked)) {
    const classes = asked.class === 'all' ? garments.map((_, c) => c).join(',') : asked.class;
    text += ` --classes ${classes} --guidance ${asked.guidance}`;
  }
  if (hidden) text += ' --inpaint picture.png --mask mask.png';
  return text;
}

/// Shows of the form what the data and the sampler chosen read, and keeps numbers within their limits.
function fit(newSampler) {
  const data = $('data').value, name = $('sampler').value,
        {steps: [least, usual, most], adds} = samplers[name];
  $('steps').min = least;
  $('steps').max = most;
  if (newSampler) $('steps').value = usual;
  $('eta-row').hidden = name !== 'eta';
  $('class-row').hidden = name === 'consistency' || !$(`gbm-classes-${data}.safetensors`);
  const asked = form();
  $('guidance-row').hidden = !classed(asked);
  $('beside-row').hidden = !adds || classed(asked) || !$(`ve-${data}.safetensors`);
  for (const id of ['steps', 'eta', 'guidance']) $(`${id}-said`).value = $(id).value;
}

function fillForm() {
  for (const [name, {title}] of Object.entries(samplers)) $('sampler').add(new Option(title, name));
  $('class').add(new Option('any', ''));
  garments.forEach((name, c) => $('class').add(new Option(name, c)));
  $('class').add(new Option('each in turn', 'all'));
  fit(true);
}

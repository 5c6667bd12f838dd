// Chromium without a window, driven over a pipe by the DevTools protocol.
'use strict';
const {spawn} = require('child_process');

/// {call(method, params), evaluate(expression in the page), events, close()}. `events` grows: all that the
/// page reports.
exports.browse = async (program, profile) => {
  const child = spawn(
    program,
    [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--disable-dev-shm-usage',
      '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'
    ],
    {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
  const [commands, replies] = [child.stdio[3], child.stdio[4]];
  const asked = new Map(), events = [];
  let number = 0, rest = '';
  replies.on('data', (bytes) => {
    const messages = (rest + bytes).split('\0');
    rest = messages.pop();
    for (const message of messages.map((text) => JSON.parse(text))) {
      if (!message.id)
        events.push(message);
      else if (message.error)
        asked.get(message.id).reject(new Error(message.error.message));
      else
        asked.get(message.id).resolve(message.result);
    }
  });
  const send = (method, params, sessionId) => new Promise((resolve, reject) => {
    asked.set(++number, {resolve, reject});
    commands.write(JSON.stringify({id: number, method, params, sessionId}) + '\0');
  });
  const {targetInfos} = await send('Target.getTargets', {});
  const {targetId} = targetInfos.find((target) => target.type === 'page');
  const {sessionId} = await send('Target.attachToTarget', {targetId, flatten: true});
  const call = (method, params = {}) => send(method, params, sessionId);
  const evaluate = async (expression) => {
    const r = await call('Runtime.evaluate', {expression, awaitPromise: true, returnByValue: true});
    if (r.exceptionDetails) throw new Error(`${expression}: ${r.exceptionDetails.exception?.description}`);
    return r.result.value;
  };
  return {call, evaluate, events, close: () => child.kill()};
};

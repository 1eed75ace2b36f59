// A Telegram bot by long polling. Telegram allows one poller per token and answers a second one with 409.
import { app, beat, broken, env, fail, live, log, pause, reason, started } from './common.js';

const POLL_SECONDS = Number(env.POLL_SECONDS || 5);

// The token is part of the address, so addresses never reach the log.
async function call(method, parameters, signal) {
  const response = await fetch(`${env.TELEGRAM_API_URL}/bot${env.TELEGRAM_TOKEN}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(parameters),
    signal: AbortSignal.any([signal, AbortSignal.timeout(1000 * (POLL_SECONDS + 10))].filter(Boolean)),
  });
  const answer = await response.json();
  if (!answer.ok) throw Object.assign(new Error(answer.description), { code: answer.error_code });
  return answer.result;
}

async function answer({ message }) {
  if (!message?.text) return;
  await call('sendMessage', { chat_id: message.chat.id, text: `${app.name} ${app.version}: ${message.text}` });
}

async function poll(state, signal) {
  if ('bot' in broken) throw new Error('BROKEN=bot');
  const updates = await call('getUpdates', { offset: state.offset, timeout: POLL_SECONDS }, signal);
  state.confirmed = state.offset;
  beat();
  for (const update of updates) {
    await answer(update);
    state.offset = update.update_id + 1;
  }
}

async function serve(state, signal) {
  while (!signal.aborted) {
    try {
      await poll(state, signal);
    } catch (error) {
      if (signal.aborted) break;
      log('poll-failed', { error: reason(error) });
      if (error.code === 409) process.exit(1);
      await pause(1000, signal);
    }
  }
}

if (!env.TELEGRAM_API_URL || !env.TELEGRAM_TOKEN) fail('bot failed', new Error('TELEGRAM_API_URL and TELEGRAM_TOKEN are needed'));
const signal = live();
const state = { offset: 0, confirmed: 0 };
log('bot-started', { app });
await started(signal);
await serve(state, signal);
// Confirm what was answered since the last poll, or the next bot answers it again.
if (state.offset !== state.confirmed) await call('getUpdates', { offset: state.offset, timeout: 0 }).catch(() => {});
log('bot-stopped');
process.exit(0);

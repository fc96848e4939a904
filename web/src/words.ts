import type { Call, CallReport, MediaState } from 'offhook';

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

export function clock(ms: number): string {
  const total_s = Math.floor(ms / 1000);
  return `${Math.floor(total_s / 60)}:${String(total_s % 60).padStart(2, '0')}`;
}

/** How the media travels. */
export function pathInWords(report: CallReport): string {
  const pair = report.selected_pair;
  if (!pair) return '–';
  if (report.path === 'direct') return pair.protocol === 'tcp' ? 'direct, over TCP' : 'direct';
  const transport = pair.relay_protocol;
  return transport ? `through the relay over ${transport.toUpperCase()}` : 'through the relay';
}

/** The state of a call as a person would say it. */
export function stateInWords(call: Call): string {
  switch (call.state) {
    case 'dialing':
      return `Calling ${call.peer}…`;
    case 'ringing':
      return call.direction === 'outgoing' ? 'Ringing…' : `${call.peer} calls`;
    case 'connecting':
      return 'Connecting…';
    case 'connected': {
      const report = call.report();
      return `Connected in ${seconds(report.time_to_connect_ms ?? 0)}, ${pathInWords(report)}`;
    }
    case 'reconnecting':
      return 'The path was lost. Reconnecting…';
    case 'ended':
      return 'Ended';
  }
}

/** What is worth a word of what the other side sends; `with_video`: a picture is to be expected. */
export function otherInWords(media: MediaState, with_video: boolean): string {
  if (media.hold) return 'on hold';
  const words = [];
  if (!media.audio) words.push('muted');
  if (media.screen) words.push('shares a screen');
  else if (with_video && !media.video) words.push('camera off');
  return words.join(', ');
}

/** The first line after a call. */
export function endInWords(call: Call, talked_ms: number): string {
  const reason = call.end_cause?.code;
  if (reason === 'hangup' && talked_ms > 0) return `You talked for ${clock(talked_ms)}`;
  const missed = call.direction === 'incoming' && !call.report().timeline.some((entry) => entry.event === 'accepted');
  if (missed && (reason === 'hangup' || reason === 'canceled' || reason === 'no_answer')) return `Missed call from ${call.peer}`;
  switch (reason) {
    case 'declined':
    case 'declined_elsewhere':
      return call.direction === 'outgoing' ? `${call.peer} declined` : 'Declined';
    case 'busy':
      return `${call.peer} is in another call`;
    case 'no_answer':
      return `${call.peer} did not answer`;
    case 'canceled':
      return 'Call given up';
    case 'unreachable':
      return `${call.peer} is not signed in`;
    case 'answered_elsewhere':
      return 'Answered on another device';
    case 'media_denied':
      return 'No microphone or camera';
    case 'hangup':
      return 'Call ended';
    default:
      return talked_ms > 0 ? 'The call was lost' : 'The call did not connect';
  }
}

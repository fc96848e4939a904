// Reads what the SDK needs out of RTCStatsReport (W3C webrtc-stats).

/** The two candidates that carry the call. */
export interface SelectedPair {
  /** host, srflx, prflx or relay. */
  local: string;
  remote: string;
  /** Of the pair itself: udp or tcp. */
  protocol: string;
  /** How our own relay is reached, if the local candidate is a relay: udp, tcp or tls. */
  relay_protocol: string | null;
}

export interface Reading {
  audio_packets: number;
  /** Decoded from packets, not invented for lost ones. Stays 0 while no element plays the sound. */
  audio_samples: number;
  video_frames: number;
  packets_sent: number;
  /** Everything that has come over the transport but checks of ICE; where the browser does not count that, RTP alone. */
  packets_received: number;
  pair: SelectedPair | null;
  /** Whether ICE has tried a pair without a relay: a browser that keeps its first pair never does. */
  direct_tried: boolean;
}

interface Entry {
  id: string;
  type: string;
  kind?: string;
  packetsReceived?: number;
  totalSamplesReceived?: number;
  concealedSamples?: number;
  jitterBufferEmittedCount?: number;
  framesDecoded?: number;
  packetsSent?: number;
  requestsSent?: number;
  selectedCandidatePairId?: string;
  selected?: boolean;
  nominated?: boolean;
  state?: string;
  localCandidateId?: string;
  remoteCandidateId?: string;
  candidateType?: string;
  protocol?: string;
  relayProtocol?: string;
}

export function read(report: RTCStatsReport): Reading {
  const reading: Reading = {
    audio_packets: 0,
    audio_samples: 0,
    video_frames: 0,
    packets_sent: 0,
    packets_received: 0,
    pair: selectedPair(report),
    direct_tried: false,
  };
  let rtp_received = 0;
  report.forEach((entry: Entry) => {
    if (entry.type === 'transport') reading.packets_received += entry.packetsReceived ?? 0;
    if (entry.type === 'candidate-pair') reading.direct_tried ||= isTriedDirectPair(report, entry);
    if (entry.type === 'inbound-rtp') rtp_received += entry.packetsReceived ?? 0;
    if (entry.type === 'outbound-rtp') reading.packets_sent += entry.packetsSent ?? 0;
    if (entry.type !== 'inbound-rtp') return;
    if (entry.kind === 'video') reading.video_frames += entry.framesDecoded ?? 0;
    if (entry.kind !== 'audio') return;
    reading.audio_packets += entry.packetsReceived ?? 0;
    reading.audio_samples += Math.max((entry.totalSamplesReceived ?? 0) - (entry.concealedSamples ?? 0), entry.jitterBufferEmittedCount ?? 0, 0);
  });
  reading.packets_received ||= rtp_received;
  return reading;
}

/** Pairs of a browser that has settled are frozen, waiting or not there at all. */
function isTriedDirectPair(report: RTCStatsReport, pair: Entry): boolean {
  const ends = [pair.localCandidateId, pair.remoteCandidateId].map((id) => report.get(id ?? '') as Entry | undefined);
  if (ends.some((end) => end === undefined || end.candidateType === 'relay')) return false;
  return (pair.requestsSent ?? 0) > 0 || pair.state === 'in-progress' || pair.state === 'succeeded' || pair.state === 'failed';
}

function selectedPair(report: RTCStatsReport): SelectedPair | null {
  let pair: Entry | undefined;
  report.forEach((entry: Entry) => {
    if (entry.type === 'transport' && entry.selectedCandidatePairId) pair = report.get(entry.selectedCandidatePairId) as Entry;
  });
  // Firefox has no selectedCandidatePairId but marks the pair.
  report.forEach((entry: Entry) => {
    if (!pair && entry.type === 'candidate-pair' && entry.state === 'succeeded' && (entry.selected || entry.nominated)) pair = entry;
  });
  if (!pair) return null;
  const local = report.get(pair.localCandidateId ?? '') as Entry | undefined;
  const remote = report.get(pair.remoteCandidateId ?? '') as Entry | undefined;
  if (!local || !remote) return null;
  return {
    local: local.candidateType ?? 'unknown',
    remote: remote.candidateType ?? 'unknown',
    protocol: local.protocol ?? 'unknown',
    relay_protocol: local.candidateType === 'relay' ? (local.relayProtocol ?? null) : null,
  };
}

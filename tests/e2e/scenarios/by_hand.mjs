// The page as a person uses it, and its pictures.

import fs from 'node:fs';
import path from 'node:path';

import { hangUp, untilDecoding, untilRising } from '../calls.mjs';
import { pause, until } from '../processes.mjs';

/** The fake microphone beeps about once a second. */
const beeps_ms = 2500;

const byHand = {
  name: 'by-hand',
  title: 'names typed, buttons pressed: call, mute, camera off and on, hang up, from either side',
  repeat: 2,
  async run(stage, { repeat, progress }) {
    await stage.serve();
    const pair = await Promise.all(['alice', 'bob'].map((name) => stage.person(name, { by_hand: true, raw_audio: true })));
    for (let i = 0; i < repeat; i += 1) {
      const [caller, callee] = i % 2 === 0 ? pair : [...pair].reverse();
      await caller.dial(callee.name);
      await callee.untilIncoming();
      await callee.get('accept').click();
      await Promise.all([untilDecoding(caller), untilDecoding(callee)]);
      await Promise.all([caller.untilShown('connected'), callee.untilShown('connected')]);
      await checkPicture(callee);
      await checkMute(caller, callee);
      await checkCamera(caller, callee);
      await hangUp(...(i % 2 === 0 ? [caller, callee] : [callee, caller]));
      stage.checkPages();
      progress(i + 1);
    }
  },
};

async function energyOver(person, ms) {
  const before = await person.count();
  await pause(ms);
  return (await person.count()).energy - before.energy;
}

async function checkMute(speaker, listener) {
  const heard = await until(`${listener.name} hears`, () => energyOver(listener, beeps_ms), { limit_ms: 10_000 });
  await speaker.get('mic').click();
  const silent = async () => (await energyOver(listener, beeps_ms)) < heard / 100;
  await until(`${listener.name} hears nothing of a muted ${speaker.name}`, silent, { limit_ms: 10_000 });
  await speaker.get('mic').click();
  const back = async () => (await energyOver(listener, beeps_ms)) > heard / 10;
  await until(`${listener.name} hears ${speaker.name} again`, back, { limit_ms: 10_000 });
}

/** Mean brightness of what the element shows, 0 to 255; null where it has no picture. */
function brightness(person, id) {
  return person.get(id).evaluate((video) => {
    if (video.videoWidth === 0) return null;
    const canvas = new OffscreenCanvas(32, 32);
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 32, 32);
    const pixels = context.getImageData(0, 0, 32, 32).data;
    let sum = 0;
    for (let i = 0; i < pixels.length; i += 4) sum += (pixels[i] + pixels[i + 1] + pixels[i + 2]) / 3;
    return sum / (pixels.length / 4);
  });
}

async function checkPicture(person) {
  const seen = async () => (await brightness(person, 'remote-video')) > 20;
  await until(`${person.name} sees the other's picture in the page`, seen, { limit_ms: 5000 });
}

async function checkCamera(sender, viewer) {
  const live = (await sender.count()).live;
  await sender.get('camera').click();
  // Black frames, or none any more: either way nothing of the room is seen.
  const dark = async () => {
    const before = await viewer.count();
    await pause(500);
    const stands = (await viewer.count()).frames === before.frames;
    return stands || (await brightness(viewer, 'remote-video')) < 20;
  };
  await until(`${viewer.name} does not see ${sender.name} any more`, dark, { limit_ms: 10_000 });
  const light_off = async () => (await sender.count()).live === live - 1;
  await until(`the camera light of ${sender.name} is off`, light_off, { limit_ms: 5000 });
  await sender.get('camera').click();
  await untilRising(viewer, ['frames', 'samples']);
  await checkPicture(viewer);
}

const pictures = {
  name: 'pictures',
  title: 'the page in each of its states, as pictures in build/e2e, and on a phone',
  repeat: 1,
  async run(stage, { directory }) {
    await stage.serve();
    const shoot = async (person, name) => {
      const file = path.join(directory, `${name}.png`);
      await person.page.screenshot({ path: file });
      if (fs.statSync(file).size === 0) throw new Error(`${file} is empty`);
    };
    const alice = await stage.person('alice');
    await shoot(alice, 'idle');
    const phone = await stage.person('bob', { viewport: { width: 390, height: 844 } });
    await shoot(phone, 'phone-idle');
    await alice.dial('bob');
    await phone.untilIncoming();
    await shoot(phone, 'phone-incoming');
    await shoot(alice, 'ringing');
    await phone.get('accept').click();
    await talkAndShoot(alice, phone, shoot);
    await phone.dial('alice');
    await alice.untilIncoming();
    await shoot(alice, 'incoming');
    await alice.get('decline').click();
    await phone.untilEnded('declined');
    await shoot(phone, 'phone-declined');
    const newcomer = await (await alice.page.context().browser().newContext({ viewport: { width: 1100, height: 760 } })).newPage();
    await newcomer.goto(stage.server.origin);
    await newcomer.getByTestId('sign-in').waitFor();
    await shoot({ page: newcomer }, 'signed-out');
  },
};

async function talkAndShoot(alice, phone, shoot) {
  await Promise.all([untilDecoding(alice), untilDecoding(phone)]);
  await Promise.all([alice.untilShown('connected'), phone.untilShown('connected')]);
  await Promise.all([checkPicture(alice), checkPicture(phone)]);
  await shoot(alice, 'in-call');
  await alice.page.getByText('What happened').click();
  await shoot(alice, 'in-call-what-happened');
  await alice.page.getByText('What happened').click();
  await shoot(phone, 'phone-in-call');
  await hangUp(alice, phone);
  await shoot(alice, 'ended');
  await shoot(phone, 'phone-ended');
}

export const byHandAndPictures = [byHand, pictures];

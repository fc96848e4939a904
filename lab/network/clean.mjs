#!/usr/bin/env node
// Removes namespaces of laboratory runs that ended without doing so, and the processes in them.
import { removeLeftovers } from './namespaces.mjs';

const removed = removeLeftovers();
console.log(removed.length === 0 ? 'nothing was left behind' : `removed ${removed.length} namespaces`);

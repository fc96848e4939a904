// The loop of the tests that drive the built program.

/** Plays `tests`, named functions, one after the other, and says how each went. Returns {passed, failed}. */
export async function runTests(tests) {
  const count = { passed: 0, failed: 0 };
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      count.passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      count.failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
  return count;
}

#include "relay_fixture.h"
#include <cstdlib>
namespace offhook::relay {
TEST(Serve, UntilInputEnds) {
  if (std::getenv("OFFHOOK_SERVE") == nullptr) GTEST_SKIP();
  RelaySettings settings = loopback_settings();
  settings.port = 3478;
  if (const char* s = std::getenv("OFFHOOK_SHARDS")) settings.shards = unsigned(std::atoi(s));
  RunningRelay relay(settings);
  (void)getchar();
  const auto c = relay.service().counters();
  for (std::size_t i = 0; i < kCounters; ++i) std::printf("%s %lu\n", std::string(name(static_cast<Counter>(i))).c_str(), c[static_cast<Counter>(i)]);
}
}

// A configuration file of any bytes is read or refused with a message; nothing else happens.
#include <cstdlib>

#include "service/settings/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  offhook::settings::SettingsBuilder builder;
  const auto applied = builder.apply_toml(offhook::as_text({input, size}), "fuzz.toml");
  if (!applied && applied.error().text().empty()) std::abort();
  const auto settings = builder.finish();
  if (!settings && settings.error().text().empty()) std::abort();
  if (settings && settings->relay_port_first > settings->relay_port_last) std::abort();
  return 0;
}

#include "service/settings/settings_file.h"

#include "io/store/private_file.h"

namespace offhook::settings {

Result<void, std::string> apply_file(SettingsBuilder& builder, const std::string& path) {
  const auto text = io::read_file(path);
  if (!text) return fail(text.error().message);
  if (auto applied = builder.apply_toml(*text, path); !applied) return fail(applied.error().text());
  return {};
}

}  // namespace offhook::settings

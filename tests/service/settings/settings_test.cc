#include "service/settings/settings.h"

#include <gtest/gtest.h>

namespace offhook::settings {
namespace {

const char* no_environment(const char*) { return nullptr; }

Result<Settings, SettingError> from_toml(std::string_view text) {
  SettingsBuilder builder;
  if (auto applied = builder.apply_toml(text, "offhook.toml"); !applied) return fail(applied.error());
  return builder.finish();
}

TEST(Settings, DefaultsAreThoseOfTheHelp) {
  const auto settings = SettingsBuilder().finish();
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->port, 3478);
  EXPECT_EQ(settings->http_port, 8080);
  EXPECT_EQ(settings->relay_port_first, 49152);
  EXPECT_EQ(settings->relay_port_last, 65535);
  EXPECT_EQ(settings->credential_ttl.count(), 3600);
  EXPECT_EQ(settings->warm_path, WarmPath::relay);
  EXPECT_FALSE(settings->dev);
}

TEST(Settings, ReadsEveryKindFromToml) {
  const auto settings = from_toml(R"(
    dev = true
    listen_address = ["127.0.0.1", "::1", "127.0.0.1"]
    port = 3480
    relay_ports = "50000-50009"
    secret = ["0123456789abcdef", "fedcba9876543210"]
    user = "alice:wonder:land"
    allow_peer = "10.0.0.0/8"
    external_address = ["203.0.113.7/10.0.0.5", "2001:db8::7"]
    log_format = "json"
    peer_policy = "call"
    alternate_server = ["192.0.2.2:3478", "[2001:db8::2]:3479"]
    fast_path = "tc"
    fast_path_channels = 100
    raw_sockets = "off"
    packet_sockets = "on"
    xdp_sockets = "off"
    socket_lookup = "off"
    warm_path = "direct"
    webhook_url = "https://app.example.org/calls"
    webhook_secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    push_contact = "mailto:ops@example.org"
    journal = "off"
  )");
  ASSERT_TRUE(settings) << settings.error().text();
  EXPECT_TRUE(settings->dev);
  EXPECT_EQ(settings->listen_addresses.size(), 2U) << "what is named twice counts once";
  EXPECT_EQ(settings->port, 3480);
  EXPECT_EQ(settings->relay_port_last, 50009);
  EXPECT_EQ(settings->shared_secrets.front().reveal(), "0123456789abcdef");
  EXPECT_EQ(settings->static_users.find("alice")->second.reveal(), "wonder:land");
  EXPECT_EQ(settings->external_addresses[0].bound, Ip::parse("10.0.0.5"));
  EXPECT_FALSE(settings->external_addresses[1].bound);
  EXPECT_EQ(settings->log_format, LogFormat::json);
  EXPECT_EQ(settings->peer_policy, PeerPolicy::call);
  ASSERT_EQ(settings->alternate_servers.size(), 2U);
  EXPECT_EQ(settings->alternate_servers[1], Address::parse("[2001:db8::2]:3479"));
  EXPECT_EQ(settings->fast_path, FastPath::tc);
  EXPECT_EQ(settings->fast_path_channels, 100U);
  EXPECT_FALSE(settings->raw_sockets);
  EXPECT_EQ(settings->packet_sockets, PacketSockets::on);
  EXPECT_FALSE(settings->xdp_sockets);
  EXPECT_FALSE(settings->socket_lookup);
  EXPECT_EQ(settings->warm_path, WarmPath::direct);
  EXPECT_EQ(settings->webhook_url, "https://app.example.org/calls");
  EXPECT_EQ(settings->webhook_secret.reveal(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
  EXPECT_EQ(settings->push_contact, "mailto:ops@example.org");
  EXPECT_FALSE(settings->journal);
}

TEST(Settings, OfTlsBelongTogether) {
  const auto error_of = [](std::string_view toml) {
    const auto settings = from_toml(toml);
    return settings ? std::string() : settings.error().text();
  };
  EXPECT_NE(error_of("cert = 'a.pem'").find("add key (--key FILE)"), std::string::npos);
  EXPECT_NE(error_of("key = 'a.pem'").find("add cert (--cert FILE)"), std::string::npos);
  EXPECT_NE(error_of("tls_port = 443").find("needs a certificate"), std::string::npos);
  constexpr std::string_view kPair = "cert = 'a.pem'\nkey = 'b.pem'\n";
  const auto with = [&](std::string_view more) { return std::string(kPair) + std::string(more); };
  EXPECT_NE(error_of(with("tls_port = 8080")).find("must differ"), std::string::npos);
  EXPECT_NE(error_of(with("tls_port = [443, 443]")).find("given once"), std::string::npos);
  EXPECT_NE(error_of(with("port = 5349")).find("must differ"), std::string::npos) << "the default counts";
  EXPECT_NE(error_of(with("public_name = 'a b'")).find("a name in the certificate"), std::string::npos);

  EXPECT_TRUE(from_toml("")->tls_ports.empty());
  EXPECT_EQ(from_toml(kPair)->tls_ports, std::vector<std::uint16_t>{5349});
  EXPECT_TRUE(from_toml("dev = true")->tls_ports_by_default);
  const auto given = from_toml(with("tls_port = [443, 5349]\npublic_name = 'calls.example.org'"));
  ASSERT_TRUE(given);
  EXPECT_EQ(given->tls_ports, (std::vector<std::uint16_t>{443, 5349}));
  EXPECT_FALSE(given->tls_ports_by_default);
  EXPECT_EQ(given->public_name, "calls.example.org");
}

TEST(Settings, FlagsWinOverEnvironmentWinsOverFile) {
  SettingsBuilder builder;
  ASSERT_TRUE(
      builder.apply_toml("port = 1\nhttp_port = 2\nrealm = \"file\"\nlisten_address = \"127.0.0.1\"", "f"));
  ASSERT_TRUE(builder.apply_environment([](const char* name) -> const char* {
    if (std::string_view(name) == "OFFHOOK_PORT") return "10";
    if (std::string_view(name) == "OFFHOOK_HTTP_PORT") return "20";
    if (std::string_view(name) == "OFFHOOK_LISTEN_ADDRESS") return "127.0.0.2,127.0.0.3";
    return nullptr;
  }));
  const std::string flag_value[] = {"100"};
  for (const SettingRow& row : setting_rows()) {
    if (row.key != "port") continue;
    ASSERT_TRUE(builder.apply_flag(row, flag_value));
  }
  const auto settings = builder.finish();
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->port, 100);
  EXPECT_EQ(settings->http_port, 20);
  EXPECT_EQ(settings->realm, "file");
  ASSERT_EQ(settings->listen_addresses.size(), 2U);
  EXPECT_EQ(settings->listen_addresses[0].text(), "127.0.0.2");
}

TEST(Settings, EveryBadValueNamesKeyValueAndWhatIsAllowed) {
  const struct {
    const char* toml;
    const char* message;
  } kCases[] = {
      {"port = 65536",
       "offhook.toml: port = \"65536\" is not allowed here: it must be a number from 1 to 65535"},
      {"port = 0", "a number from 1 to 65535"},
      {"port = \"3478x\"", "a number from 1 to 65535"},
      {"port = 1.5", "it must be a text, a number, true or false"},
      {"port = [1, 2]", "it must be a text, a number, true or false"},
      {"dev = \"yes\"", "true or false"},
      {"listen_address = \"localhost\"", "an address of this machine"},
      {"listen_address = \"0.0.0.0\"", "an address of this machine"},
      {"relay_ports = \"50000\"", "LO-HI"},
      {"relay_ports = \"50001-50000\"", "LO-HI"},
      {"relay_ports = \"50000-50000\"", "at least 2 ports"},
      {"allow_peer = \"10.0.0.0/33\"", "a prefix such as"},
      {"deny_peer = \"10.0.0.0-10.0.0.9\"", "a prefix such as"},
      {"external_address = \"203.0.113.7/::1\"", "PUBLIC/PRIVATE"},
      {"allowed_origin = \"app.example.org\"", "an origin such as"},
      {"user = \"alice\"", "NAME:PASSWORD"},
      {"user = \"alice:caf\\u00e9\"", "both printable ASCII"},
      {"realm = \"caf\\u00e9\"", "printable ASCII characters"},
      {"log_format = \"xml\"", "text or json"},
      {"peer_policy = \"none\"", "open or call"},
      {"alternate_server = \"192.0.2.2\"", "an address with its port"},
      {"alternate_server = \"192.0.2.2:0\"", "an address with its port"},
      {"fast_path = \"bpf\"", "auto, off, xdp or tc"},
      {"raw_sockets = \"maybe\"", "on or off"},
      {"packet_sockets = \"maybe\"", "auto, on or off"},
      {"xdp_sockets = \"maybe\"", "on or off"},
      {"socket_lookup = \"maybe\"", "on or off"},
      {"fast_path_channels = 0", "a number from 1 to 4000000"},
      {"warm_path = \"on\"", "it must be direct, relay or off"},
      {"webhook_url = \"app.example.org/calls\"", "it must be an https or http URL of your backend"},
      {"webhook_url = \"https://a.example\"\nwebhook_secret = \"hush\"", "whsec_ and base64; make one with"},
      {"webhook_secret = \"whsec_AAAA\"", "it needs the webhook beside it: add webhook_url"},
      {"push_contact = \"ops\"", "mailto: and an address"},
      {"journal = \"yes\"", "it must be on or off"},
      {"lifetime_default = 1000\nlifetime_limit = 900", "it must not be above lifetime_limit (900)"},
      {"port = 8080", "it must differ from port"},
      {"prot = 1", "there is no such setting; did you mean port?"},
      {"port = ", "the file must be TOML"},
      {"[relay]\nport = 1", "there is no such setting"},
      {"# ok\nrealm = 5\xC3\xA9", "line 2 is not allowed here: letters beyond ASCII are written as escapes"},
      {"realm = \"\"\"off\nhook\"\"\"", "line 1 is not allowed here: a text must end on the line"},
      {"\n\nrealm = 'offhook", "line 3 is not allowed here: a text must end on the line"},
  };
  for (const auto& one : kCases) {
    const auto settings = from_toml(one.toml);
    ASSERT_FALSE(settings) << one.toml;
    EXPECT_NE(settings.error().text().find(one.message), std::string::npos) << settings.error().text();
  }
}

TEST(Settings, LettersBeyondAsciiAreFineInCommentsAndAsEscapes) {
  EXPECT_EQ(from_toml("state_dir = \"\\\\caf\\u00e9 #\"  # r\xC3\xA9gl\xC3\xA9\n")->state_dir,
            "\\caf\xC3\xA9 #");
  EXPECT_EQ(from_toml("\xEF\xBB\xBFport = 3480")->port, 3480);
}

TEST(Settings, ASecretIsNeverPrinted) {
  const auto settings = from_toml("secret = \"tooshort\"");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().text().find("tooshort"), std::string::npos);
  EXPECT_NE(settings.error().text().find("at least 16 characters"), std::string::npos);
  const auto webhook = from_toml("webhook_url = 'https://a.example'\nwebhook_secret = 'hush'");
  ASSERT_FALSE(webhook);
  EXPECT_EQ(webhook.error().text().find("hush"), std::string::npos);
}

TEST(Settings, EveryRowHasHelpAndUniqueNames) {
  for (const SettingRow& row : setting_rows()) {
    EXPECT_FALSE(row.help.empty());
    EXPECT_EQ(environment_name(row).find('-'), std::string::npos);
    int same = 0;
    for (const SettingRow& other : setting_rows()) same += other.key == row.key ? 1 : 0;
    EXPECT_EQ(same, 1) << row.key;
  }
  EXPECT_TRUE(SettingsBuilder().apply_environment(no_environment));
}

}  // namespace
}  // namespace offhook::settings

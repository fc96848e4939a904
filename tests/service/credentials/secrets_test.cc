#include <gtest/gtest.h>

#include <filesystem>

#include "crypto/secure_random.h"
#include "io/loop/clock.h"
#include "io/store/private_file.h"
#include "service/credentials/credentials_service.h"
#include "service/credentials/minting.h"
#include "service/credentials/secret_files.h"

namespace offhook::service {
namespace {

class Secrets : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "offhook-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<std::unique_ptr<CredentialsService>, std::string> create(TokenKeySources sources = {}) {
    CredentialsSettings settings;
    settings.state_dir = folder_;
    settings.token_keys = std::move(sources);
    return CredentialsService::create(std::move(settings), random_);
  }
  std::string write(const std::string& name, std::string_view text) {
    EXPECT_TRUE(io::write_private_file(folder_ + "/" + name, text));
    return folder_ + "/" + name;
  }

  std::string folder_;
  crypto::SecureRandom random_;
};

TEST_F(Secrets, AreMadeOnceAndKept) {
  const auto first = load_or_make_turn_secrets(folder_, random_);
  const auto second = load_or_make_turn_secrets(folder_, random_);
  ASSERT_TRUE(first && second);
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().reveal().size(), 64U);
  EXPECT_EQ(first->front().reveal(), second->front().reveal());
}

TEST_F(Secrets, RotationKeepsTheOneBefore) {
  const std::string oldest = load_or_make_turn_secrets(folder_, random_)->front().reveal();
  ASSERT_TRUE(rotate_turn_secrets(folder_, random_));
  const auto two = *load_or_make_turn_secrets(folder_, random_);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[1].reveal(), oldest);
  ASSERT_TRUE(rotate_turn_secrets(folder_, random_));
  const auto still_two = *load_or_make_turn_secrets(folder_, random_);
  ASSERT_EQ(still_two.size(), 2U);
  EXPECT_EQ(still_two[1].reveal(), two[0].reveal());
}

TEST_F(Secrets, ARunningServiceTakesUpARotation) {
  io::ControlLoop loop;  // outlives the service, whose timer hangs on it
  auto service = create();
  ASSERT_TRUE(service) << service.error();
  const auto before = (*service)->turn_credentials()->mint("alice", std::chrono::seconds(60), {1000});
  CredentialsService::TurnCredentials changed;
  (*service)->watch(loop, [&](CredentialsService::TurnCredentials fresh) {
    changed = std::move(fresh);
    loop.stop();
  });
  ASSERT_TRUE(rotate_turn_secrets(folder_, random_));
  loop.run();
  ASSERT_TRUE(changed);
  const auto after = changed->mint("alice", std::chrono::seconds(60), {1000});
  EXPECT_NE(after.password, before.password);
  const auto match = changed->find("1060:alice", {1000});
  ASSERT_TRUE(match);
  ASSERT_EQ(match->passwords.size(), 2U);
  EXPECT_EQ(match->passwords[0].reveal(), after.password);
  EXPECT_EQ(match->passwords[1].reveal(), before.password);
}

TEST_F(Secrets, CommandsMintWhatTheServiceAccepts) {
  auto service = create();
  ASSERT_TRUE(service);
  MintRequest request;
  request.user = "alice";
  request.state_dir = folder_;
  const auto token = mint_user_token(request);
  ASSERT_TRUE(token) << token.error();
  const auto verified =
      (*service)->token_verifier().verify(token->text.substr(0, token->text.size() - 1), io::read_now().wall);
  ASSERT_TRUE(verified) << credentials::text(verified.error());
  EXPECT_EQ(verified->user, "alice");
  EXPECT_EQ(token->note, "") << "the service made the secret already";
  EXPECT_EQ(mint_turn_credential(request)->note, "");
  request.state_dir += "/elsewhere";
  EXPECT_NE(mint_user_token(request)->note.find("made a new secret in"), std::string::npos);
  EXPECT_NE(mint_turn_credential(request)->note.find("made a new secret in"), std::string::npos);
  request.user = "line\nbreak";
  EXPECT_FALSE(mint_user_token(request));
  EXPECT_FALSE(mint_turn_credential(request));
}

TEST_F(Secrets, BadKeyFilesSayWhatIsWrongAndWhatToDo) {
  const struct {
    TokenKeySources sources;
    const char* message;
  } kCases[] = {
      {{.key_file = folder_ + "/nothing"}, "check the path"},
      {{.key_file = write("short", "tooshort\n")}, "a secret 32 bytes"},
      {{.key_file = write("set", R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"0123456789012345678901"}]})")},
       "goes to --jwks"},
      {{.key_file = write("ssh", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvTQ4zqVt2o bob\n")},
       "neither PEM nor a secret"},
      {{.key_file = write("binary", std::string(40, '\x82'))}, "-inform DER"},
      {{.key_file = write("private", "-----BEGIN PRIVATE KEY-----\n")},
       "holds a private key; give the public one"},
      {{.key_file = write("broken", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")},
       "no key that can be read"},
      {{.jwks_file = write("jwks", "{\"keys\":[]}")}, folder_.c_str()},
  };
  for (const auto& one : kCases) {
    const auto service = create(one.sources);
    ASSERT_FALSE(service) << one.message;
    EXPECT_NE(service.error().find(one.message), std::string::npos) << service.error();
  }
}

TEST_F(Secrets, WithAnAppKeyTheOwnTokensAreRefusedOutsideDev) {
  const std::string key = write("hs256", "0123456789abcdef0123456789abcdef\n");
  auto strict = create({.key_file = key});
  auto dev = create({.key_file = key, .accept_own_secret = true});
  ASSERT_TRUE(strict && dev);
  MintRequest request;
  request.user = "alice";
  request.state_dir = folder_;
  const std::string own = mint_user_token(request)->text;
  const UnixTime now = io::read_now().wall;
  EXPECT_FALSE((*strict)->token_verifier().verify(own.substr(0, own.size() - 1), now));
  EXPECT_TRUE((*dev)->token_verifier().verify(own.substr(0, own.size() - 1), now));
  const std::string apps = credentials::mint_token(Secret("0123456789abcdef0123456789abcdef"), "bob",
                                                   std::chrono::seconds(60), now);
  EXPECT_TRUE((*strict)->token_verifier().verify(apps, now));
}

}  // namespace
}  // namespace offhook::service

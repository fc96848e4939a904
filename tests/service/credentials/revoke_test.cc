// Revocations and API keys of a service, over a restart.

#include <gtest/gtest.h>

#include <filesystem>

#include "crypto/secure_random.h"
#include "io/http/control_loop.h"
#include "io/store/private_file.h"
#include "service/credentials/credentials_service.h"
#include "service/credentials/secret_files.h"

namespace offhook::service {
namespace {

using std::chrono::seconds;

class Revoke : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "offhook-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<CredentialsService> create(std::vector<Secret> api_keys = {}) {
    CredentialsSettings settings;
    settings.state_dir = folder_;
    settings.api_keys = std::move(api_keys);
    auto created = CredentialsService::create(std::move(settings), random_);
    EXPECT_TRUE(created) << (created ? "" : created.error());
    return std::move(*created);
  }
  // As the server itself mints them.
  std::string token(std::string_view user, UnixTime issued) {
    return credentials::mint_token(*load_or_make_token_secret(folder_, random_), user, seconds(3600), issued);
  }
  static UnixTime now() { return io::ControlLoop::now().wall; }

  std::string folder_;
  crypto::SecureRandom random_;
};

TEST_F(Revoke, CutsTokensAndCredentialsAndKeepsDoingSoAfterARestart) {
  auto service = create();
  const std::string old_token = token("bob", now());
  const auto old_credential = service->turn_credentials()->mint("bob", seconds(3600), now());
  EXPECT_TRUE(service->token_verifier().verify(old_token, now()));
  const auto revocation = service->revoke("bob");
  ASSERT_TRUE(revocation);
  EXPECT_TRUE(revocation->survives_restart);
  for (int start = 0; start < 2; ++start) {
    SCOPED_TRACE(start == 0 ? "at once" : "after a restart");
    EXPECT_EQ(service->token_verifier().verify(old_token, now()).error(), credentials::TokenError::revoked);
    EXPECT_FALSE(service->turn_credentials()->find(old_credential.username, now()));
    EXPECT_TRUE(service->token_verifier().verify(token("bob", revocation->at + seconds(1)), now()));
    EXPECT_TRUE(service->token_verifier().verify(token("carol", now()), now()));
    service = create();
  }
  EXPECT_EQ(std::filesystem::status(folder_ + "/revocations").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Revoke, HandsTheNewCredentialsOn) {
  auto service = create();
  io::ControlLoop loop;
  CredentialsService::TurnCredentials handed;
  service->watch(loop, [&](auto fresh) { handed = std::move(fresh); });
  const auto old_credential = service->turn_credentials()->mint("bob", seconds(3600), now());
  ASSERT_TRUE(service->revoke("bob"));
  ASSERT_TRUE(handed);
  EXPECT_FALSE(handed->find(old_credential.username, now()));
  service.reset();
}

TEST_F(Revoke, IsInForceThoughItCannotBeKeptAndSaysSo) {
  auto service = create();
  const std::string old_token = token("bob", now());
  std::filesystem::create_directory(folder_ + "/revocations");  // nothing can be written there
  const auto revocation = service->revoke("bob");
  ASSERT_TRUE(revocation);
  EXPECT_FALSE(revocation->survives_restart);
  EXPECT_FALSE(service->token_verifier().verify(old_token, now()));
}

TEST_F(Revoke, ApiKeysAreTheGivenOnesOrAGeneratedOneThatStays) {
  const auto made = create()->api_keys();
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made.front().reveal().size(), 64U);
  EXPECT_EQ(create()->api_keys().front().reveal(), made.front().reveal());
  EXPECT_EQ(*io::read_file(api_keys_path(folder_)), made.front().reveal() + "\n");
  const auto given = create({Secret("a-key-of-the-operator")})->api_keys();
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given.front().reveal(), "a-key-of-the-operator");
}

}  // namespace
}  // namespace offhook::service

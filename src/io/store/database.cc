#include "io/store/database.h"

#include <utility>

namespace offhook::io {
namespace {

// Another process may be reading the file with a tool.
constexpr int kBusyTimeout_ms = 2000;

DatabaseError error_of(sqlite3* handle, int code) {
  const char* text = handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
  return {code & 0xff, text};
}

}  // namespace

void Statement::bind(int parameter, std::string_view text) {
  (void)sqlite3_bind_text(handle_.get(), parameter, text.data(), static_cast<int>(text.size()),
                          SQLITE_TRANSIENT);
}

void Statement::bind(int parameter, std::int64_t number) {
  (void)sqlite3_bind_int64(handle_.get(), parameter, number);
}

Result<bool, DatabaseError> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(error_of(sqlite3_db_handle(handle_.get()), code));
}

void Statement::reset() { (void)sqlite3_reset(handle_.get()); }

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(handle_.get(), column); }

Result<Database, DatabaseError> Database::open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return fail(error_of(handle, code));
  (void)sqlite3_busy_timeout(handle, kBusyTimeout_ms);
  return database;
}

Result<Statement, DatabaseError> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get(), code));
  return Statement(statement);
}

Result<void, DatabaseError> Database::run(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get(), code));
  return {};
}

Result<std::int64_t, DatabaseError> Database::number(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(statement.error());
  const auto row = statement->step();
  if (!row) return fail(row.error());
  return statement->number(0);
}

}  // namespace offhook::io

#include "nn/key_table.h"

#include <optional>

namespace mini::nn {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// `name` with what `from` fits replaced by `to`, or nothing if `from` does not fit.
std::optional<std::string> replaced(const std::string& name, const std::string& from,
                                    const std::string& to) {
  std::vector<std::string> numbers;
  std::size_t at = 0;
  for (const char c : from) {
    if (c == '#') {
      std::size_t end = at;
      while (end < name.size() && is_digit(name[end])) ++end;
      if (end == at) return std::nullopt;
      numbers.push_back(name.substr(at, end - at));
      at = end;
    } else if (at >= name.size() || name[at++] != c) {
      return std::nullopt;
    }
  }
  if (at < name.size() && name[at] != '.') return std::nullopt;
  std::string result;
  std::size_t next = 0;
  for (const char c : to) {
    if (c == '#')
      result += numbers.at(next++);
    else
      result += c;
  }
  return result + name.substr(at);
}

}  // namespace

std::string KeyTable::to_ours(const std::string& name) const {
  for (const Row& row : rows_)
    if (const auto found = replaced(name, row.theirs, row.ours)) return *found;
  return name;
}

std::string KeyTable::to_theirs(const std::string& name) const {
  for (const Row& row : rows_)
    if (const auto found = replaced(name, row.ours, row.theirs)) return *found;
  return name;
}

StateDict KeyTable::to_ours(const StateDict& state) const {
  StateDict result;
  for (const auto& [name, tensor] : state) {
    const bool added = result.emplace(to_ours(name), tensor).second;
    check(added, "weights: ", to_ours(name), " is there in two spellings");
  }
  return result;
}

}  // namespace mini::nn

#include "train/means.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mini::train {

Means::Means(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_array()) return;
  for (const auto& one : json)
    if (one.is_array() && one.size() == 3 && one[0].is_string() && one[1].is_number() &&
        one[2].is_number())
      sums_.push_back({one[0].get<std::string>(), one[1].get<double>(), one[2].get<double>()});
}

void Means::add(const Values& values) {
  for (const auto& [name, value] : values) {
    auto sum = std::find_if(sums_.begin(), sums_.end(),
                            [&, &wanted = name](const Sum& one) { return one.name == wanted; });
    if (sum == sums_.end()) sum = sums_.insert(sum, Sum{.name = name});
    sum->sum += value;
    ++sum->count;
  }
}

Means::Values Means::means() const {
  Values means;
  for (const Sum& one : sums_) means.emplace_back(one.name, one.sum / one.count);
  return means;
}

std::string Means::text() const {
  if (sums_.empty()) return {};
  nlohmann::json json = nlohmann::json::array();
  for (const Sum& one : sums_) json.push_back({one.name, one.sum, one.count});
  return json.dump();
}

}  // namespace mini::train

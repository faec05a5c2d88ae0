#include "nn/field.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tensor/error.h"

namespace mini::nn {
namespace {

std::size_t choice_of(const Field& field, const std::string& text) {
  const auto found = std::find(field.choices.begin(), field.choices.end(), text);
  std::string all;
  for (const std::string& name : field.choices) all += (all.empty() ? "" : ", ") + name;
  check(found != field.choices.end(), field.path, ": must be one of ", all, ", got '", text, "'");
  return static_cast<std::size_t>(found - field.choices.begin());
}

double number_of(const Field& field, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  const Range& range = field.range;
  check(whole && std::isfinite(value) && value >= range.low && value <= range.high &&
            !(range.open && value == range.low),
        field.path, ": must be a number from ", range.low, " to ", range.high,
        range.open ? ", the first excluded" : "", ", got '", text, "'");
  return value;
}

}  // namespace

std::string text_of(const Field& field) {
  return std::visit(
      [&](const auto& value) -> std::string {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, Choice>)
          return field.choices.at(value.get());
        else if constexpr (std::is_same_v<Value, bool*>)
          return *value ? "yes" : "no";
        else if constexpr (std::is_same_v<Value, std::string*>)
          return *value;
        else if constexpr (std::is_arithmetic_v<std::remove_pointer_t<Value>>)
          return concat_text(*value);
        else
          fail("fields: ", field.path, " is a list or a path");
      },
      field.value);
}

void set_from_text(const Field& field, const std::string& text) {
  std::visit(
      [&](const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, Choice>) {
          value.set(choice_of(field, text));
        } else if constexpr (std::is_same_v<Value, bool*>) {
          check(text == "true" || text == "false", field.path, ": must be true or false, got '",
                text, "'");
          *value = text == "true";
        } else if constexpr (std::is_same_v<Value, double*>) {
          *value = number_of(field, text);
        } else if constexpr (std::is_same_v<Value, std::int64_t*>) {
          if (!field.choices.empty()) choice_of(field, text);
          const double number = number_of(field, text);
          check(number == std::floor(number) && std::abs(number) < 0x1p53, field.path,
                ": must be a whole number, got '", text, "'");
          *value = static_cast<std::int64_t>(number);
        } else {
          fail("fields: ", field.path, " cannot be set from a text");
        }
      },
      field.value);
}

}  // namespace mini::nn

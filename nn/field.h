// What a configuration may set of a network, an optimiser or a recipe: a named value, with what it may
// be and what it means. Tables of such fields are read and written in train/fields.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace mini::nn {

// What a number may be, the ends included; `open` leaves the low end out.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open = false;
};
inline Range at_least(double low) { return {.low = low}; }
inline Range between(double low, double high) { return {.low = low, .high = high}; }
inline Range more_than(double low, double high = std::numeric_limits<double>::infinity()) {
  return {.low = low, .high = high, .open = true};
}

// An enumeration, named by the field's choices in the order of its values.
struct Choice {
  std::function<std::size_t()> get;
  std::function<void(std::size_t)> set;
};
template <class Enum>
Choice choice(Enum* value) {
  return {[value] { return static_cast<std::size_t>(*value); },
          [value](std::size_t index) { *value = static_cast<Enum>(index); }};
}

// The same with a first choice that means none.
template <class Enum>
Choice or_none(std::optional<Enum>* value) {
  return {[value] { return *value ? static_cast<std::size_t>(**value) + 1 : 0; },
          [value](std::size_t index) {
            *value = index == 0 ? std::nullopt : std::optional(static_cast<Enum>(index - 1));
          }};
}

// A list may be written as a single value. A list of whole numbers may also be "30..90": all from
// 30 to 90. A relative path is relative to the folder that reading is given.
using FieldValue =
    std::variant<bool*, int*, std::int64_t*, double*, std::string*, std::filesystem::path*,
                 std::vector<int>*, std::vector<std::int64_t>*, std::vector<double>*,
                 std::vector<std::filesystem::path>*, Choice>;

struct Field {
  std::string path;  // "train.schedule.type": groups, then the key
  FieldValue value;
  std::string help = {};
  Range range = {};                       // of a number, or of each number in a list
  std::vector<std::string> choices = {};  // what a string, an enumeration or a number may be
};
using Fields = std::span<const Field>;

// The value of a field that holds a number, a name or a yes or no, for people to read: "32", "jpeg".
std::string text_of(const Field& field);
// The opposite: sets such a field. Throws where the text is no such value, or out of range.
void set_from_text(const Field& field, const std::string& text);

}  // namespace mini::nn

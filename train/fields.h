// A configuration as a table of fields: path, where the value lives, what it may be, what it means.
// Reading, defaults, errors, writing and documentation all come from the one table (the table of
// training is in train/config.cpp).
//
// The text is JSON; // and /* */ comments are allowed. Strict: a key that no field has is an error
// that names the nearest one, and so are a wrong type, a value out of range and a key given twice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mini::train {

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

// Sets the fields that `text` mentions. Errors begin with `source`, the file's name. When it
// throws, some fields may have been set.
void read_fields(Fields fields, std::string_view text, const std::string& source,
                 const std::filesystem::path& folder);
// Sets one field from "train.lr=1e-4". The value is read as JSON; what is not JSON is a string.
void set_field(Fields fields, const std::string& assignment, const std::filesystem::path& folder);

enum class Comments : bool { none, help };
// All fields as JSON that read_fields takes, each below its help and range if wanted.
std::string write_fields(Fields fields, Comments comments = Comments::none);

// The candidate with the smallest edit distance to `name`, by whole path or by last key.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace mini::train

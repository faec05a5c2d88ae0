// A configuration as a table of fields: path, where the value lives, what it may be, what it means.
// Reading, defaults, errors, writing and documentation all come from the one table (the table of
// training is in train/config.cpp). What a field is: nn/field.h.
//
// The text is JSON; // and /* */ comments are allowed. Strict: a key that no field has is an error
// that names the nearest one, and so are a wrong type, a value out of range and a key given twice.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "nn/field.h"

namespace mini::train {

using nn::at_least;
using nn::between;
using nn::Choice;
using nn::choice;
using nn::Field;
using nn::Fields;
using nn::FieldValue;
using nn::more_than;
using nn::Range;

// What becomes of keys that no field has.
enum class UnknownKeys : bool { refused, skipped };
// Sets the fields that `text` mentions. Errors begin with `source`, the file's name. When it
// throws, some fields may have been set.
void read_fields(Fields fields, std::string_view text, const std::string& source,
                 const std::filesystem::path& folder, UnknownKeys unknown = UnknownKeys::refused);
// Sets one field from "train.lr=1e-4". The value is read as JSON; what is not JSON is a string.
void set_field(Fields fields, const std::string& assignment, const std::filesystem::path& folder);

enum class Comments : bool { none, help };
// All fields as JSON that read_fields takes, each below its help and range if wanted.
std::string write_fields(Fields fields, Comments comments = Comments::none);

// The candidate with the smallest edit distance to `name`, by whole path or by last key.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace mini::train

#include "nn/field.h"

#include "tensor/error.h"

namespace mini::nn {

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

}  // namespace mini::nn

#include "tools/mini_infer/origin.h"

#include <charconv>
#include <fmt/format.h>

#include "io/checksum.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

constexpr std::int64_t largest_side = (std::int64_t{1} << 31) - 1;

// Takes `prefix` and a number from 1 to `largest` off the front of the text.
std::optional<std::int64_t> take_number(std::string_view& text, std::string_view prefix,
                                        std::int64_t largest) {
  if (!text.starts_with(prefix)) return {};
  text.remove_prefix(prefix.size());
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 1 || number > largest) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::string to_note(const Origin& origin) {
  return fmt::format("size={}x{} scale={} model={}", origin.width, origin.height, origin.scale,
                     origin.model);
}

std::optional<Origin> parse_origin(std::string_view note) {
  const auto width = take_number(note, "size=", largest_side);
  if (!width) return {};
  const auto height = take_number(note, "x", largest_side);
  if (!height) return {};
  const auto scale = take_number(note, " scale=", 64);
  constexpr std::string_view model = " model=";
  if (!scale || !note.starts_with(model)) return {};
  return Origin{*width, *height, *scale, std::string(note.substr(model.size()))};
}

std::string fingerprint_of(const Model& model) {
  if (model.network == nullptr) return model.scaler->name();
  io::Bytes sums;  // of the names and the weights, in the order of the names
  const auto add = [&](std::span<const std::byte> bytes) {
    const std::uint32_t sum = io::crc32(bytes);
    for (int shift = 0; shift < 32; shift += 8)
      sums.push_back(static_cast<std::byte>(sum >> shift));
  };
  for (const auto& [name, tensor] : model.network->state_dict()) {
    add(io::as_bytes(name));
    const Tensor values = ops::contiguous(ops::to_device(tensor, {}));
    add({values.raw_data(), values.bytes()});
  }
  return fmt::format("{}:{:08x}", model.scaler->name(), io::crc32(sums));
}

}  // namespace mini::infer

#include "io/tensor_file.h"

#include <algorithm>
#include <array>

#include "io/file.h"
#include "io/pth.h"

namespace mini::io {

TensorFile read_tensor_file(const std::filesystem::path& path) {
  std::array<std::byte, 9> storage{};
  const InputFile file(path);
  const std::span start(storage.data(),
                        static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), 9)));
  file.read_at(0, start);
  const std::string_view text = as_text(start);
  // A zip archive begins with PK, a pickle with opcode 0x80 and its protocol, safetensors with the
  // length of a header that begins with {.
  if (text.starts_with("PK\3\4") ||
      (text.size() > 1 && text[0] == '\x80' && static_cast<unsigned char>(text[1]) <= 5 &&
       (text.size() < 9 || text[8] != '{')))
    return read_pth(path);
  if (text.size() == 9 && text[8] == '{') return read_safetensors(path);
  fail("read_tensor_file: ", path.string(),
       " is no file of weights: expected safetensors, or what PyTorch's torch.save writes");
}

}  // namespace mini::io

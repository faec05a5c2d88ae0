#include "tensor_core.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>
#include <vector>

namespace mini::emulator {
namespace {

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
};
struct Copies {
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

// The copies of the current thread.
Copies& copies() {
  static auto& all = *new std::array<Copies, 1024>;
  return all[threadIdx.x];
}

// Words of operands a and b, in the registers that the lanes showed: four of a, then two of b.
Word shown_a(const Shown* warp, int row, int column_word) {
  return warp[4 * (row % 8) + column_word % 4]
             [static_cast<std::size_t>(row / 8 + column_word / 4 * 2)];
}
Word shown_b(const Shown* warp, int row_word, int column) {
  return warp[4 * column + row_word % 4][static_cast<std::size_t>(4 + row_word / 4)];
}

// c += the sum over words of product(word of a, word of b).
template <class Product>
void multiply(float (&c)[4], const Word (&a)[4], const Word (&b)[2], const Product& product) {
  const Word mine[]{a[0], a[1], a[2], a[3], b[0], b[1]};
  const Shown* const warp = show(mine, sizeof mine);
  const int g = lane() / 4, t = lane() % 4;
  for (int i = 0; i < 4; ++i)
    for (int word = 0; word < 8; ++word)
      c[i] += product(shown_a(warp, g + i / 2 * 8, word), shown_b(warp, word, 2 * t + i % 2));
}

float from_tf32(Word word) { return std::bit_cast<float>(word & ~0x1fffu); }
float low(Word word) { return std::bit_cast<float>(word << 16); }
float high(Word word) { return std::bit_cast<float>(word & 0xffff0000u); }

}  // namespace

void copy_async(void* to, const void* from, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 ||
      reinterpret_cast<std::uintptr_t>(from) % 16 != 0) {
    std::fprintf(stderr, "cuda emulator: cp.async of 16 bytes that are not aligned\n");
    std::abort();
  }
  copies().open.push_back({to, from, bytes});
}

void commit_copies() { copies().groups.push_back(std::exchange(copies().open, {})); }

void wait_copies(int pending) {
  auto& groups = copies().groups;
  for (; groups.size() > static_cast<std::size_t>(pending); groups.pop_front())
    for (const Copy& copy : groups.front()) {
      std::memcpy(copy.to, copy.from, copy.bytes);
      std::memset(static_cast<std::byte*>(copy.to) + copy.bytes, 0, 16 - copy.bytes);
    }
}

void load_matrices(Word (&r)[4], const void* row, bool transposed) {
  const Shown* const warp = show(&row, sizeof row);
  const int g = lane() / 4, t = lane() % 4;
  const auto place = [warp](int matrix, int which) {
    const std::byte* rows;
    std::memcpy(&rows, warp[8 * matrix + which].data(), sizeof rows);
    return rows;
  };
  for (int i = 0; i < 4; ++i) {
    if (transposed) {
      std::uint16_t pair[2];
      for (int k = 0; k < 2; ++k) std::memcpy(&pair[k], place(i, 2 * t + k) + 2 * g, 2);
      r[i] = pair[0] | static_cast<Word>(pair[1]) << 16;
    } else {
      std::memcpy(&r[i], place(i, g) + 4 * t, 4);
    }
  }
}

void multiply_tf32(float (&c)[4], const Word (&a)[4], const Word (&b)[2]) {
  multiply(c, a, b, [](Word x, Word y) { return from_tf32(x) * from_tf32(y); });
}

void multiply_bfloat16(float (&c)[4], const Word (&a)[4], const Word (&b)[2]) {
  multiply(c, a, b, [](Word x, Word y) { return low(x) * low(y) + high(x) * high(y); });
}

}  // namespace mini::emulator

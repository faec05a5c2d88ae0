// Writes a few files of every kind into FOLDER/bmp, FOLDER/gif, ... for the fuzzers to begin with.
#include <cstdio>
#include <filesystem>

#include "io/image.h"
#include "tests/io/image_files.h"

namespace {
namespace fs = std::filesystem;
using mini::Tensor;
using namespace mini::test;

class Seeds {
 public:
  explicit Seeds(fs::path folder) : folder_(std::move(folder)) {}
  void add(const std::string& reader, std::span<const std::byte> file) {
    fs::create_directories(folder_ / reader);
    mini::io::write_file_atomically(folder_ / reader / ("seed" + std::to_string(count_++)), file);
  }

 private:
  fs::path folder_;
  int count_ = 0;
};

void add_bmp(Seeds& seeds) {
  const std::vector<int> palette = {0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0};
  const std::vector<int> pixels(64, 1);
  for (const int bits : {1, 2, 4, 8})
    seeds.add("bmp", bmp_file({.bits = bits, .colours = 3, .palette = palette, .pixels = pixels}));
  for (const int header : {12, 16, 40, 52, 56, 64, 108, 124})
    seeds.add("bmp", bmp_file({.header = header, .pixels = pixels}));
  seeds.add("bmp", bmp_file({.header = 12, .bits = 8, .palette = palette, .pixels = pixels}));
  for (const int bits : {16, 32})
    seeds.add("bmp", bmp_file({.height = -2,
                               .bits = bits,
                               .compression = 6,
                               .masks = {0x7c00, 0x3e0, 0x1f, 0x8000},
                               .gap = 2,
                               .pixels = pixels}));
  seeds.add("bmp", bmp_file({.width = 3,
                             .bits = 8,
                             .compression = 1,
                             .colours = 3,
                             .palette = palette,
                             .pixels = {3, 1, 0, 0, 0, 3, 2, 0, 1, 0, 0, 2, 0, 0, 0, 1}}));
  seeds.add("bmp", bmp_file({.width = 3,
                             .bits = 4,
                             .compression = 2,
                             .colours = 3,
                             .palette = palette,
                             .pixels = {3, 0x11, 0, 0, 0, 3, 0x20, 0x10, 0, 1}}));
}

void add_tga(Seeds& seeds) {
  const std::vector<int> pixels(32, 1);
  for (const int bits : {15, 16, 24, 32})
    for (const int descriptor : {0, 8, 0x30})
      seeds.add("tga", tga_file({.bits = bits, .descriptor = descriptor, .content = pixels}));
  for (const int bits : {8, 16})
    seeds.add("tga", tga_file({.type = 3, .bits = bits, .content = pixels}));
  for (const int type : {1, 9})
    seeds.add("tga", tga_file({.type = type,
                               .bits = 8,
                               .map_first = 1,
                               .map_length = 4,
                               .map_bits = 24,
                               .content = pixels}));
  seeds.add(
      "tga",
      tga_file({.type = 10, .width = 3, .content = {0x83, 0, 0, 255, 1, 255, 0, 0, 0, 255, 0}}));
  seeds.add("tga", tga_file({.type = 11, .width = 3, .bits = 8, .content = {0x83, 9, 1, 2, 3}}));
}

void add_gif(Seeds& seeds) {
  const auto codes = pack_gif_codes(gif_codes({0, 1, 2, 0}, 2), 3);
  seeds.add("gif", gif_file({.data = codes}));
  seeds.add(
      "gif",
      gif_file(
          {.screen_width = 9, .screen_height = 9, .left = 3, .transparent = 1, .data = codes}));
  seeds.add("gif", gif_file({.interlaced = true, .data = codes, .frames = 2}));
  seeds.add("gif", gif_file({.width = 6, .height = 1, .data = pack_gif_codes({4, 0, 6, 7}, 3)}));
}

void add_pnm(Seeds& seeds) {
  for (const char* text :
       {"P1\n2 2\n0 1 1 0\n", "P2\n2 2 15\n1 2 3 15", "P3 1 2 255 1 2 3 4 5 6", "P4 9 2\nabcd",
        "P5 2 2 200\nabcd", "P6 2 1 9999 abababababab", "P5\n# a comment\n3 1 # more\n255\nxyz"})
    seeds.add("pnm", FileBytes().text(text));
}

void add_encoded(Seeds& seeds) {
  for (const int side : {1, 5, 17}) {
    const Tensor image = Tensor::empty({side, 2 * side, 3}, mini::DType::uint8);
    for (std::int64_t i = 0; i < image.numel(); ++i)
      image.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * i / 7);
    seeds.add("png", mini::io::encode(image, mini::io::ImageFormat::png, 1));
    seeds.add("jpeg", mini::io::encode(image, mini::io::ImageFormat::jpeg, 60));
    seeds.add("webp", mini::io::encode(image, mini::io::ImageFormat::webp, 60));
  }
  // Every kind of PNG's pixels, two by two.
  const FileBytes palette =
      png_chunk("PLTE", FileBytes().list({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).bytes());
  const FileBytes alpha = png_chunk("tRNS", FileBytes().list({0, 128}).bytes());
  for (const auto& [depth, type, row] : {std::array{1, 0, 2},
                                         {4, 0, 2},
                                         {16, 0, 5},
                                         {8, 2, 7},
                                         {16, 2, 13},
                                         {2, 3, 2},
                                         {8, 3, 3},
                                         {8, 4, 5},
                                         {8, 6, 9},
                                         {16, 6, 17}}) {
    const mini::io::Bytes rows(static_cast<std::size_t>(2 * row));
    FileBytes extra = png_chunk("gAMA", FileBytes().big(100000, 4).bytes());
    if (type == 3) extra.raw(palette.bytes()).raw(alpha.bytes());
    extra.raw(png_chunk("eXIf", exif_data(6).bytes()).bytes());
    seeds.add("png", png_file(2, 2, depth, type, rows, extra.bytes()));
  }
}

void add_test_images(Seeds& seeds) {
  for (const auto& entry :
       fs::directory_iterator(fs::path(MINI_SOURCE_DIR) / "tests/io/data/images")) {
    const std::string extension = entry.path().extension();
    const std::string reader = extension == ".jpg"   ? "jpeg"
                               : extension == ".ppm" ? "pnm"
                                                     : extension.substr(1);
    if (extension != ".py") seeds.add(reader, mini::io::read_file(entry.path()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 1;
  }
  Seeds seeds(argv[1]);
  add_bmp(seeds);
  add_tga(seeds);
  add_gif(seeds);
  add_pnm(seeds);
  add_encoded(seeds);
  add_test_images(seeds);
}

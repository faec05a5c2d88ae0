#include "io/image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string>

#include "io/codecs.h"
#include "io/modes.h"
#include "tensor/parallel.h"
#include "tensor/view.h"

namespace mini::io {
namespace {

void check_batch(const Tensor& batch, const char* op) {
  check(batch.rank() == 4 && batch.size(1) == 3 && is_floating(batch.dtype()), op,
        ": expected floating [N,3,H,W], got ", batch.dtype(), batch.shape());
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// x [3,H,W] -> image. In the precision of x, as PyTorch's (x.clamp(0, 1) * 255).round().
Tensor round_image(const Tensor& x) {
  const Tensor image = Tensor::empty({x.size(1), x.size(2), 3}, DType::uint8);
  if (x.dtype() != DType::float32 && x.dtype() != DType::float64)
    return round_image(ops::cast(x, DType::float32));
  visit_real(x.dtype(), "to_image", [&](auto type) {
    using T = typename decltype(type)::type;
    const Shape& stride = x.strides();
    for (std::int64_t row = 0; row < image.size(0); ++row) {
      for (int c = 0; c < 3; ++c) {
        const T* in = x.data<T>() + c * stride[0] + row * stride[1];
        std::uint8_t* out = image.data<std::uint8_t>() + row * image.size(1) * 3 + c;
        for (std::int64_t column = 0; column < image.size(1); ++column) {
          const T value = in[column * stride[2]];
          // A NaN fails the comparison and becomes 0.
          const T clamped = value > 0 ? std::min(value, T{1}) : T{0};
          out[3 * column] = static_cast<std::uint8_t>(std::nearbyint(clamped * T{255}));
        }
      }
    }
  });
  return image;
}

// image -> x [3,H,W], contiguous.
void divide_image(const Tensor& image, const Tensor& x) {
  visit(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    std::array<T, 256> table;
    for (int i = 0; i < 256; ++i) {
      if constexpr (std::is_same_v<T, double>)
        table[static_cast<std::size_t>(i)] = i / 255.0;
      else
        table[static_cast<std::size_t>(i)] = T(static_cast<float>(i) / 255.0F);
    }
    const Tensor pixels = ops::contiguous(image);
    const std::int64_t count = pixels.numel() / 3;
    const std::uint8_t* in = pixels.data<std::uint8_t>();
    for (int c = 0; c < 3; ++c) {
      T* out = x.data<T>() + c * count;
      for (std::int64_t i = 0; i < count; ++i) out[i] = table[in[3 * i + c]];
    }
  });
}

}  // namespace

void check_image(const Tensor& image, const char* op) {
  check(image.dtype() == DType::uint8 && image.rank() == 3 && image.size(2) == 3, op,
        ": an image is uint8 [H,W,3], got ", image.dtype(), image.shape());
  check(image.numel() > 0, op, ": the image has no pixels, shape ", image.shape());
}

ImageFormat parse_image_format(std::string_view text) {
  const std::string name = lower_case(text);
  if (name == "jpeg" || name == "jpg" || name == "jpe" || name == "jfif") return ImageFormat::jpeg;
  if (name == "webp") return ImageFormat::webp;
  if (name == "png") return ImageFormat::png;
  fail("image format: \"", text, "\" is unknown; choose jpeg, webp or png");
}

std::string_view name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "jpeg";
    case ImageFormat::webp:
      return "webp";
    case ImageFormat::png:
      return "png";
  }
  return "unknown";
}

void check_encodable(std::int64_t width, std::int64_t height, ImageFormat format) {
  const auto at_most = [&](std::int64_t side, const char* name) {
    check(width <= side && height <= side, name, " takes at most ", side, " pixels a side, not ",
          width, "x", height);
  };
  switch (format) {
    case ImageFormat::jpeg:
      return at_most(max_jpeg_side, "JPEG");
    case ImageFormat::webp:
      return at_most(max_webp_side, "WebP");
    case ImageFormat::png:
      return at_most(max_png_side, "PNG");
  }
}

void check_options(const EncodeOptions& options) {
  const auto check_range = [](const char* name, int value, int low, int high) {
    check(value >= low && value <= high, name, " ", value, " is outside ", low, " to ", high);
  };
  check_range("quality", options.quality, 1, 100);
  check_range("WebP method", options.webp_method, 0, 6);
  check_range("PNG level", options.png_level, 0, 9);
  check(
      options.metadata == nullptr || is_note(options.metadata->note),
      "the note of an image must be at most 1000 letters of printable ASCII without quotes, angle ",
      "brackets and ampersands");
}

Bytes encode(const Tensor& image, ImageFormat format, const EncodeOptions& options) {
  check_picture(image, "encode");
  const Tensor pixels = ops::contiguous(image);
  const bool eight_bits = image.dtype() == DType::uint8;
  try {
    check_options(options);
    check_encodable(image.size(1), image.size(0), format);
    switch (format) {
      case ImageFormat::jpeg:
        check(eight_bits && !has_alpha(pixels),
              "JPEG stores 8 bits without alpha; lay the picture on white and round it before");
        return encode_jpeg(pixels, options);
      case ImageFormat::webp:
        check(eight_bits, "WebP stores 8 bits; round the picture before");
        return encode_webp(to_rgb(pixels), options);
      case ImageFormat::png:
        return encode_png(pixels, options);
    }
  } catch (const Error& error) {
    fail("encode: ", error.what());
  }
  fail("encode: unknown format");
}

FittedFile encode_to_size(const Tensor& image, ImageFormat format, std::int64_t bytes,
                          EncodeOptions options) {
  check(format == ImageFormat::jpeg || (format == ImageFormat::webp && !options.lossless),
        "encode_to_size: only JPEG and lossy WebP have a quality to choose");
  const auto file_of = [&](int quality) {
    options.quality = quality;
    return encode(image, format, options);
  };
  const auto fits = [&](const Bytes& file) { return std::ssize(file) <= bytes; };
  FittedFile best{file_of(1), 1};
  check(fits(best.bytes), "encode_to_size: ", bytes, " bytes are too few: quality 1 takes ",
        best.bytes.size());
  // Sizes grow with the quality, but for some bytes here and there; what is returned fits in any case.
  for (int low = 2, high = 100; low <= high;) {
    const int middle = (low + high) / 2;
    Bytes file = file_of(middle);
    if (fits(file)) {
      best = {std::move(file), middle};
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}

std::vector<Bytes> encode_batch(std::span<const Tensor> images, ImageFormat format, int quality) {
  std::vector<Bytes> files(images.size());
  parallel_tasks(static_cast<std::int64_t>(images.size()), [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    files[index] = encode(images[index], format, quality);
  });
  return files;
}

std::vector<Tensor> decode_batch(std::span<const Bytes> files) {
  std::vector<Tensor> images(files.size());
  parallel_tasks(static_cast<std::int64_t>(files.size()), [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    images[index] = decode(files[index]);
  });
  return images;
}

Tensor read_image(const std::filesystem::path& path, const ReadOptions& options) {
  const Bytes bytes =
      read_file(path, std::min(default_file_limit, static_cast<std::size_t>(options.max_bytes)));
  try {
    return decode(bytes, options);
  } catch (const Error& error) {
    fail("read_image: ", path.string(), ": ", error.what());
  }
}

bool has_image_name(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 13> extensions = {
      ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif",
      ".bmp", ".tga",  ".pbm", ".pgm",  ".ppm", ".pnm"};
  const std::string extension = lower_case(path.extension().string());
  return !path.filename().string().starts_with('.') &&
         std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

void write_image(const std::filesystem::path& path, const Tensor& image,
                 const EncodeOptions& options) {
  const std::string extension = path.extension().string();
  try {
    check(!extension.empty(), "the name has no extension; use .jpg, .webp or .png");
    const ImageFormat format = parse_image_format(std::string_view(extension).substr(1));
    write_file_atomically(path, encode(image, format, options));
  } catch (const Error& error) {
    fail("write_image: ", path.string(), ": ", error.what());
  }
}

Tensor to_float(const Tensor& image, DType dtype) {
  return to_float(std::span<const Tensor>(&image, 1), dtype);
}

Tensor to_float(std::span<const Tensor> images, DType dtype) {
  check(!images.empty(), "to_float: no images");
  check(is_floating(dtype), "to_float: values from 0 to 1 need a floating dtype, not ", dtype);
  for (const Tensor& image : images) {
    check_image(image, "to_float");
    check(image.shape() == images[0].shape(), "to_float: images of shapes ", images[0].shape(),
          " and ", image.shape(), " make no batch; crop or resize them first");
  }
  const auto count = static_cast<std::int64_t>(images.size());
  const Tensor batch = Tensor::empty({count, 3, images[0].size(0), images[0].size(1)}, dtype);
  parallel_tasks(count, [&](std::int64_t i) {
    divide_image(images[static_cast<std::size_t>(i)], ops::select(batch, 0, i));
  });
  return batch;
}

Tensor to_image(const Tensor& x) {
  const bool batched = x.rank() == 4 && x.size(0) == 1;
  check((batched || x.rank() == 3) && x.size(-3) == 3 && is_floating(x.dtype()),
        "to_image: expected floating [1,3,H,W] or [3,H,W], got ", x.dtype(), x.shape());
  return round_image(batched ? ops::select(x, 0, 0) : x);
}

std::vector<Tensor> to_images(const Tensor& batch) {
  check_batch(batch, "to_images");
  std::vector<Tensor> images(static_cast<std::size_t>(batch.size(0)));
  parallel_tasks(batch.size(0), [&](std::int64_t i) {
    images[static_cast<std::size_t>(i)] = round_image(ops::select(batch, 0, i));
  });
  return images;
}

CodecResult codec_roundtrip_with_sizes(const Tensor& batch, ImageFormat format,
                                       std::span<const int> qualities) {
  check_batch(batch, "codec_roundtrip");
  const auto count = std::ssize(qualities);
  check(count == 1 || count == batch.size(0), "codec_roundtrip: ", count, " qualities for ",
        batch.size(0), " images; give one for all or one for each");
  CodecResult result;
  result.images = Tensor::empty(batch.shape(), batch.dtype());
  result.sizes.resize(static_cast<std::size_t>(batch.size(0)));
  parallel_tasks(batch.size(0), [&](std::int64_t i) {
    const int quality = qualities[count == 1 ? 0 : static_cast<std::size_t>(i)];
    const Bytes file = encode(round_image(ops::select(batch, 0, i)), format, quality);
    result.sizes[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(file.size());
    divide_image(decode(file, {.max_pixels = any_size}), ops::select(result.images, 0, i));
  });
  return result;
}

CodecResult codec_roundtrip_with_sizes(const Tensor& batch, ImageFormat format, int quality) {
  return codec_roundtrip_with_sizes(batch, format, {&quality, 1});
}

Tensor codec_roundtrip(const Tensor& batch, ImageFormat format, std::span<const int> qualities) {
  return codec_roundtrip_with_sizes(batch, format, qualities).images;
}

Tensor codec_roundtrip(const Tensor& batch, ImageFormat format, int quality) {
  return codec_roundtrip(batch, format, {&quality, 1});
}

}  // namespace mini::io

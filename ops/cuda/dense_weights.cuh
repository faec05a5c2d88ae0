// The order of the dense block's channels in its buffers, and of its weights as the convolution's
// threads read them (dense_tile.cuh). Each call packs the weights once, in one launch for all
// convolutions.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/cuda/dense_convolution.cuh"

namespace mini::cuda::dense {

// A sequence of slabs of channels. Each consists of whole chunks.
struct Slabs {
  std::vector<std::int64_t> sizes;  // channels of each slab
  std::vector<int> first;           // first chunk of each slab, then the number of all chunks
  int per_chunk;

  Slabs(std::vector<std::int64_t> slab_sizes, int channels_per_chunk)
      : sizes(std::move(slab_sizes)), first{0}, per_chunk(channels_per_chunk) {
    for (const std::int64_t size : sizes)
      first.push_back(first.back() + static_cast<int>((size + per_chunk - 1) / per_chunk));
  }
  int chunks(std::size_t slab) const { return first[slab + 1] - first[slab]; }
  int channels(std::size_t slab) const { return chunks(slab) * per_chunk; }  // padding included
  // The last chunk of the first slab, if channels fill at most half of it, otherwise -1.
  int half_chunk() const {
    const std::int64_t rest = sizes[0] % per_chunk;
    return rest > 0 && 2 * rest <= per_chunk ? chunks(0) - 1 : -1;
  }
  int pixel_bytes() const { return first.back() * chunk_bytes; }
};

template <class Way>
Slabs feature_slabs(std::span<const Tensor> weights) {
  std::vector<std::int64_t> sizes{weights[0].size(1)};
  for (const Tensor& w : weights.first(weights.size() - 1)) sizes.push_back(w.size(0));
  return {std::move(sizes), chunk_channels<Way>};
}

template <class Way>
Slabs gradient_slabs(std::span<const Tensor> weights) {
  std::vector<std::int64_t> sizes;
  for (std::size_t k = weights.size(); k-- > 0;) sizes.push_back(weights[k].size(0));
  return {std::move(sizes), chunk_channels<Way>};
}

// The weights from one slab to the outputs of one convolution. Weight (o, c, tap) is at o *
// output_step + c * input_step + tap, or + 8 - tap if flipped.
struct Piece {
  const float* weights;
  std::int64_t output_step, input_step;
  int outputs, channels;
  bool flipped;
  int columns, groups, all_chunks;  // of the convolution
  int first_chunk, chunks;          // of the slab, among the chunks of the convolution's input
  std::int64_t to;                  // start of the convolution's packed weights, in words
  std::int64_t begin;               // index of the piece's first word among the words of all pieces
};
constexpr std::size_t most_pieces = 40;  // per launch

template <class Way>
struct PackWeights {
  Piece pieces[most_pieces];
  int count;
  Word* packed;

  __device__ void operator()(std::int64_t index) const {
    int which = 0;
    while (which + 1 < count && pieces[which + 1].begin <= index) ++which;
    const Piece& p = pieces[which];
    const int tap_words = p.columns * 64;
    std::int64_t rest = index - p.begin;
    const auto word = static_cast<int>(rest % tap_words);
    rest /= tap_words;
    const auto tap = static_cast<int>(rest % taps);
    rest /= taps;
    const auto chunk = static_cast<int>(rest % p.chunks), group = static_cast<int>(rest / p.chunks);
    constexpr int parts = chunk_channels<Way> / chunk_words;
    struct alignas(4) Numbers {
      typename Way::Stored at[parts];
    } numbers;
    for (int part = 0; part < parts; ++part) {
      const WeightPlace place = weight_place<Way>(word, p.columns, part);
      const int output = group * p.columns * 8 + place.output;
      const int channel = chunk * chunk_channels<Way> + place.channel;
      const bool real = output < p.outputs && channel < p.channels;
      numbers.at[part] =
          Way::keep(real ? p.weights[output * p.output_step + channel * p.input_step +
                                     (p.flipped ? taps - 1 - tap : tap)]
                         : 0.0f);
    }
    const std::int64_t place =
        ((std::int64_t{group} * p.all_chunks + p.first_chunk + chunk) * taps + tap) * tap_words;
    *reinterpret_cast<Numbers*>(packed + p.to + place + word) = numbers;
  }
};

// The packed weights of a chain of convolutions.
class PackedWeights {
 public:
  struct Convolution {
    int outputs, columns, groups, chunks;
    std::int64_t at;  // start, in words
  };

  // Adds a convolution of `chunks` input chunks to `outputs` channels, of which `stored` are
  // written.
  void add(std::int64_t outputs, std::int64_t stored, int chunks) {
    const int columns = stored <= 8 ? 1 : stored <= 16 ? 2 : 4;
    const auto groups = static_cast<int>((stored + columns * 8 - 1) / (columns * 8));
    convolutions_.push_back({static_cast<int>(outputs), columns, groups, chunks, words_});
    words_ += std::int64_t{groups} * chunks * weight_bytes(columns) / 4;
  }
  // Adds the weights of the last convolution that read `chunks` chunks with `channels` channels.
  void add_piece(const float* weights, std::int64_t output_step, std::int64_t input_step,
                 std::int64_t channels, bool flipped, int first_chunk, int chunks) {
    const Convolution& c = convolutions_.back();
    pieces_.push_back({weights, output_step, input_step, c.outputs, static_cast<int>(channels),
                       flipped, c.columns, c.groups, c.chunks, first_chunk, chunks, c.at, 0});
  }
  template <class Way>
  void pack(Device device) {
    memory_ = Tensor::empty({words_}, DType::float32, device);
    for (std::size_t first = 0; first < pieces_.size(); first += most_pieces) {
      PackWeights<Way> list{};
      list.packed = reinterpret_cast<Word*>(memory_.raw_data());
      list.count = static_cast<int>(std::min(most_pieces, pieces_.size() - first));
      std::int64_t count = 0;
      for (int i = 0; i < list.count; ++i) {
        Piece& piece = list.pieces[i];
        piece = pieces_[first + static_cast<std::size_t>(i)];
        piece.begin = count;
        count += std::int64_t{piece.groups} * piece.chunks * weight_bytes(piece.columns) / 4;
      }
      for_each(count, list);
    }
  }
  std::int64_t bytes() const { return words_ * 4; }
  const Convolution& operator[](std::size_t k) const { return convolutions_[k]; }
  const std::byte* data(std::size_t k) const {
    return memory_.raw_data() + convolutions_[k].at * 4;
  }

 private:
  std::vector<Convolution> convolutions_;
  std::vector<Piece> pieces_;
  std::int64_t words_ = 0;
  Tensor memory_;
};

template <class Way>
PackedWeights forward_weights(std::span<const Tensor> weights, const Slabs& slabs) {
  PackedWeights packed;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const Tensor& w = weights[k];
    packed.add(w.size(0), k + 1 < weights.size() ? slabs.channels(k + 1) : w.size(0),
               slabs.first[k + 1]);
    std::int64_t channel = 0;
    for (std::size_t s = 0; s <= k; channel += slabs.sizes[s++])
      packed.add_piece(w.data<float>() + channel * taps, w.size(1) * taps, taps, slabs.sizes[s],
                       false, slabs.first[s], slabs.chunks(s));
  }
  return packed;
}

// Convolution j reads the gradients g_K .. g_{j+1} and gives the gradient of slab j (0 is x).
template <class Way>
PackedWeights backward_weights(std::span<const Tensor> weights, const Slabs& features,
                               const Slabs& gradients) {
  PackedWeights packed;
  const std::size_t count = weights.size();
  for (std::size_t j = 0; j < count; ++j) {
    const std::int64_t first = j == 0 ? 0 : weights[j - 1].size(1);
    packed.add(features.sizes[j], j > 0 ? gradients.channels(count - j) : features.sizes[0],
               gradients.first[count - j]);
    for (std::size_t s = 0; s < count - j; ++s) {
      const Tensor& w = weights[count - 1 - s];
      packed.add_piece(w.data<float>() + first * taps, taps, w.size(1) * taps, w.size(0), true,
                       gradients.first[s], gradients.chunks(s));
    }
  }
  return packed;
}

}  // namespace mini::cuda::dense

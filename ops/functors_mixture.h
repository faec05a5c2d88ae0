// Drawing one value from a Gaussian mixture, for host and device.
//
// With weights w and exponential noise e, the component with the smallest race time e_k/w_k wins.
// That is argmax of log w_k + Gumbel_k, where Gumbel = -log(e), without computing logarithms. For
// the same reason the relaxed choice softmax(log w + Gumbel) is proportional to w_k/e_k.
#pragma once

#include <cmath>
#include <limits>

#include "ops/math.h"

namespace mini::functors {

template <class T>
struct MixtureComponent {
  T inverse_weight;  // 1/w
  T mean;
  T deviation;  // standard deviation
};

// The components given by parameters [3,count]: logits, means, log-variances.
template <class T>
class MixtureComponents {
 public:
  MINI_HOST_DEVICE MixtureComponents(const T* parameters, int count)
      : parameters_(parameters), count_(count) {
    for (int k = 0; k < count; ++k) largest_ = parameters[k] > largest_ ? parameters[k] : largest_;
    for (int k = 0; k < count; ++k)
      total_ += std::exp(static_cast<double>(parameters[k]) - static_cast<double>(largest_));
  }
  MINI_HOST_DEVICE MixtureComponent<T> operator[](int k) const {
    const double distance = static_cast<double>(largest_) - static_cast<double>(parameters_[k]);
    const auto log_variance = static_cast<double>(parameters_[2 * count_ + k]);
    const double inside = log_variance < -20 ? -20 : log_variance > 20 ? 20 : log_variance;
    return {static_cast<T>(std::exp(distance) * total_), parameters_[count_ + k],
            static_cast<T>(std::exp(0.5 * inside))};
  }
  // d deviation / d log-variance: deviation/2, and 0 where the log-variance is clamped to ±20.
  MINI_HOST_DEVICE double deviation_slope(int k) const {
    const T log_variance = parameters_[2 * count_ + k];
    const bool free = log_variance >= T(-20) && log_variance <= T(20);
    return free ? 0.5 * static_cast<double>((*this)[k].deviation) : 0.0;
  }

 private:
  const T* parameters_;
  int count_;
  T largest_ = -std::numeric_limits<T>::infinity();
  double total_ = 0;
};

template <class T>
struct MixtureChoice {
  int winner;
  T time;  // race time of the winner
};

// `exponential` points to the K numbers of this element.
template <class T>
MINI_HOST_DEVICE inline MixtureChoice<T> mixture_choice(const MixtureComponent<T>* components,
                                                        int count, const T* exponential) {
  MixtureChoice<T> best{0, exponential[0] * components[0].inverse_weight};
  for (int k = 1; k < count; ++k) {
    const T time = exponential[k] * components[k].inverse_weight;
    const bool earlier = time < best.time;
    best.winner = earlier ? k : best.winner;
    best.time = earlier ? time : best.time;
  }
  return best;
}

template <class T>
MINI_HOST_DEVICE inline T mixture_sample(const MixtureComponent<T>* components, int count,
                                         const T* exponential, const T* normal) {
  const int j = mixture_choice(components, count, exponential).winner;
  return components[j].mean + components[j].deviation * normal[j];
}

// Computes this element's contribution to the gradient [3·count] (logits, means, deviations) and
// calls add(entry, double) for each nonzero entry. With the relaxed choice p and candidates c_k =
// mean_k + deviation_k·n_k, the logits get the gradient of the relaxed choice, mean and deviation
// that of the hard choice j:
//   dlogit_k = dz·p_k·(c_k - Σ p·c),  dmean_j = dz,  ddeviation_j = dz·n_j.
template <class T, class Add>
MINI_HOST_DEVICE inline void mixture_gradient(const MixtureComponent<T>* components, int count,
                                              const T* exponential, const T* normal, T dz,
                                              const Add& add) {
  const MixtureChoice<T> best = mixture_choice(components, count, exponential);
  // p_k = share_k / Σ share, where share_k = (w_k/e_k)/(w_j/e_j) <= 1 cannot overflow.
  const auto share = [&](int k) {
    return best.time / (exponential[k] * components[k].inverse_weight);
  };
  const auto candidate = [&](int k) {
    return components[k].mean + components[k].deviation * normal[k];
  };
  T shares = 0, weighted = 0;
  for (int k = 0; k < count; ++k) {
    shares += share(k);
    weighted += share(k) * candidate(k);
  }
  const T mean = weighted / shares, scale = dz / shares;
  for (int k = 0; k < count; ++k)
    add(k, static_cast<double>(scale * share(k) * (candidate(k) - mean)));
  add(count + best.winner, static_cast<double>(dz));
  add(2 * count + best.winner, static_cast<double>(dz * normal[best.winner]));
}

}  // namespace mini::functors

#pragma once

#include <batchmate/core/planes.hpp>

#include <string>
#include <vector>

namespace batchmate {

/// A convolution with its batch norm folded in: stride 1, zero padding that keeps the board's size.
struct convolution {
  int outputs = 0;             ///< K
  int inputs = 0;              ///< C
  int kernel = 1;              ///< R = S: 1 or 3
  std::vector<float> weights;  ///< (K, C, R, S)
  std::vector<float> bias;     ///< (K)
};

/// A fully connected layer.
struct dense_layer {
  int outputs = 0;             ///< rows
  int inputs = 0;              ///< columns
  std::vector<float> weights;  ///< (outputs, inputs)
  std::vector<float> bias;     ///< (outputs)
};

/// x -> relu(second(relu(first(x))) + x)
struct residual_block {
  convolution first, second;  ///< both 3x3, channels to channels
};

/// A residual tower with a policy and a value head (He et al., 2016, post-activation; Silver et al., 2017), in fp32.
///
///     input    (C_in, H, W): the planes as 0 and 1, then each global as a constant plane
///     tower    x = relu(stem(x)); then the blocks in order                              (C, H, W)
///     policy   logits = policy(flatten(relu(policy_conv(x)))); softmax over the legal actions   (A)
///     value    v = value(relu(value_hidden(flatten(relu(value_conv(x))))))
///              3 outputs: softmax gives (win, draw, loss) for the player to move, value = win - loss
///              1 output: value = tanh(v)
///
/// `flatten` runs over (channel, row, column), the last fastest.
struct network {
  std::string name;     ///< for messages and identities: the file's name, or `random:6x64:1`
  std::string game;     ///< the game's `name()`; empty fits every game of the same extents
  shape input{};        ///< planes, rows, columns
  int num_globals = 0;  ///< constant planes after the packed ones
  int num_actions = 0;  ///< A
  convolution stem;     ///< 3x3, planes + globals to C
  std::vector<residual_block> blocks;
  convolution policy_conv;   ///< 1x1, C to P
  dense_layer policy;        ///< P * H * W to A
  convolution value_conv;    ///< 1x1, C to V
  dense_layer value_hidden;  ///< V * H * W to hidden
  dense_layer value;         ///< hidden to 3 or 1

  /// C, channels of the tower.
  int channels() const { return stem.outputs; }
  /// C_in, planes and globals.
  int inputs() const { return input.planes + num_globals; }
};

}  // namespace batchmate

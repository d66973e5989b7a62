"""Backbones and tasks of keras-hub by name, built so small that each is a matter of seconds;
nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import keras
import keras_hub.layers as layers
import keras_hub.models as hub

_WORDS = 60
_TEXT: dict[str, Any] = {
    "vocabulary_size": _WORDS,
    "num_layers": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
}
_HEADS: dict[str, Any] = {**_TEXT, "num_heads": 2}
_BOUNDED: dict[str, Any] = {**_HEADS, "max_sequence_length": 16}
_GROUPED: dict[str, Any] = {**_TEXT, "num_query_heads": 4, "num_key_value_heads": 2}
_IMAGE = (32, 32, 3)


def _resnet(stages: int = 3, side: int = 32) -> Any:
    return hub.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 16, 16, 16][:stages],
        stackwise_num_blocks=[1] * stages,
        stackwise_num_strides=[1, 2, 2, 2][:stages],
        block_type="basic_block",
        image_shape=(side, side, 3),
    )


def _mit() -> Any:
    return hub.MiTBackbone(
        layerwise_depths=[1, 1],
        num_layers=2,
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1],
        max_drop_path_rate=0.0,
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
        hidden_dims=[8, 16],
        image_shape=_IMAGE,
    )


def _mobilenet() -> Any:
    return hub.MobileNetBackbone(
        stackwise_expansion=[[40, 56], [64, 144]],
        stackwise_num_blocks=[2, 2],
        stackwise_num_filters=[[16, 16], [24, 24]],
        stackwise_kernel_size=[[3, 3], [5, 5]],
        stackwise_num_strides=[[2, 1], [2, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1, 1], [2, 2]],
        output_num_filters=32,
        input_num_filters=8,
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        squeeze_and_excite=0.5,
        last_layer_filter=40,
        image_shape=_IMAGE,
    )


def _efficientnet() -> Any:
    return hub.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0, 1.0],
        stackwise_depth_coefficients=[1.0, 1.0],
        stackwise_kernel_sizes=[3, 3],
        stackwise_num_repeats=[1, 1],
        stackwise_input_filters=[8, 8],
        stackwise_output_filters=[8, 16],
        stackwise_expansion_ratios=[1, 4],
        stackwise_strides=[1, 2],
        stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
        stackwise_block_types=["v1", "v1"],
        min_depth=None,
        include_initial_padding=True,
        use_depth_divisor_as_min_depth=True,
        cap_round_filter_decrease=True,
        stem_conv_padding="valid",
        batch_norm_momentum=0.9,
        batch_norm_epsilon=1e-5,
        dropout=0.0,
        projection_activation=None,
        image_shape=_IMAGE,
    )


def _cspnet() -> Any:
    return hub.CSPNetBackbone(
        stem_filters=8,
        stem_kernel_size=3,
        stem_strides=1,
        stackwise_depth=[1, 1],
        stackwise_strides=[1, 2],
        stackwise_num_filters=[8, 16],
        block_type="dark_block",
        stage_type="dark",
        image_shape=_IMAGE,
    )


def _hgnet() -> Any:
    return hub.HGNetV2Backbone(
        depths=[1, 1],
        embedding_size=8,
        hidden_sizes=[16, 24],
        stem_channels=[3, 8, 8],
        hidden_act="relu",
        use_learnable_affine_block=False,
        stackwise_stage_filters=[(8, 8, 16, 1, 2, 3), (16, 8, 24, 1, 2, 3)],
        apply_downsample=[False, True],
        use_lightweight_conv_block=[False, False],
        image_shape=_IMAGE,
    )


def _vit() -> Any:
    return hub.ViTBackbone(
        image_shape=_IMAGE, patch_size=(8, 8), num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )


def _vit_det() -> Any:
    return hub.ViTDetBackbone(
        hidden_size=16,
        num_layers=2,
        intermediate_dim=32,
        num_heads=2,
        global_attention_layer_indices=[1],
        patch_size=8,
        num_output_channels=8,
        window_size=2,
        image_shape=(64, 64, 3),
    )


def _sam() -> Any:
    return hub.SAMBackbone(
        image_encoder=_vit_det(),
        prompt_encoder=layers.SAMPromptEncoder(
            hidden_size=8,
            image_embedding_size=(8, 8),
            input_image_size=(64, 64),
            mask_in_channels=16,
        ),
        mask_decoder=layers.SAMMaskDecoder(
            num_layers=2,
            hidden_size=8,
            intermediate_dim=16,
            num_heads=2,
            embedding_dim=8,
            num_multimask_outputs=3,
            iou_head_depth=2,
            iou_head_hidden_dim=8,
        ),
    )


def _retinanet() -> Any:
    return hub.RetinaNetBackbone(
        image_encoder=_resnet(4, 64),
        min_level=3,
        max_level=4,
        use_p5=False,
        image_shape=(64, 64, 3),
    )


def _deeplab() -> Any:
    return hub.DeepLabV3Backbone(
        image_encoder=_resnet(),
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P4",
        dilation_rates=[2, 4],
        upsampling_size=4,
        projection_filters=8,
        image_shape=_IMAGE,
    )


def _clip_text(**more: Any) -> Any:
    return hub.CLIPTextEncoder(
        vocabulary_size=_WORDS,
        embedding_dim=16,
        hidden_dim=16,
        num_layers=2,
        num_heads=2,
        intermediate_dim=32,
        max_sequence_length=16,
        **more,
    )


def _clip() -> Any:
    vision = hub.CLIPVisionEncoder(
        patch_size=8,
        hidden_dim=16,
        num_layers=2,
        num_heads=2,
        intermediate_dim=32,
        image_shape=_IMAGE,
    )
    return hub.CLIPBackbone(vision_encoder=vision, text_encoder=_clip_text(), projection_dim=8)


def _siglip() -> Any:
    vision = hub.SigLIPVisionEncoder(
        patch_size=8,
        hidden_dim=16,
        num_layers=2,
        num_heads=2,
        intermediate_dim=32,
        image_shape=_IMAGE,
    )
    text = hub.SigLIPTextEncoder(
        vocabulary_size=_WORDS,
        embedding_dim=16,
        hidden_dim=16,
        num_layers=2,
        num_heads=2,
        intermediate_dim=32,
        max_sequence_length=16,
    )
    return hub.SigLIPBackbone(vision, text)


def _vae() -> Any:
    from keras_hub.src.models.vae.vae_backbone import VAEBackbone  # has no public name

    return VAEBackbone(
        encoder_num_filters=[32, 32],
        encoder_num_blocks=[1, 1],
        decoder_num_filters=[32, 32],
        decoder_num_blocks=[1, 1],
        image_shape=_IMAGE,
    )


def _swin() -> Any:
    return hub.SwinTransformerBackbone(
        image_shape=_IMAGE,
        embed_dim=8,
        depths=(1, 1),
        num_heads=(1, 2),
        window_size=4,
        drop_path=0.0,
    )


BUILDERS: MappingProxyType[str, Callable[[], Any]] = MappingProxyType(
    {
        "AlbertBackbone": lambda: hub.AlbertBackbone(embedding_dim=8, num_groups=1, **_BOUNDED),
        "BartBackbone": lambda: hub.BartBackbone(**_BOUNDED),
        "BertBackbone": lambda: hub.BertBackbone(**_BOUNDED),
        "BloomBackbone": lambda: hub.BloomBackbone(**_HEADS),
        "CLIPBackbone": _clip,
        "CSPNetBackbone": _cspnet,
        "DINOV2Backbone": lambda: hub.DINOV2Backbone(
            patch_size=8,
            num_layers=2,
            hidden_dim=16,
            num_heads=2,
            intermediate_dim=32,
            image_shape=_IMAGE,
            position_embedding_shape=_IMAGE,
        ),
        "DebertaV3Backbone": lambda: hub.DebertaV3Backbone(bucket_size=8, **_BOUNDED),
        "DeepLabV3Backbone": _deeplab,
        "DeiTBackbone": lambda: hub.DeiTBackbone(
            image_shape=_IMAGE,
            patch_size=8,
            num_layers=2,
            num_heads=2,
            hidden_dim=16,
            intermediate_dim=32,
        ),
        "DenseNetBackbone": lambda: hub.DenseNetBackbone([1, 1], image_shape=_IMAGE, growth_rate=8),
        "DistilBertBackbone": lambda: hub.DistilBertBackbone(**_BOUNDED),
        "ESMBackbone": lambda: hub.ESMBackbone(**_HEADS),
        "EfficientNetBackbone": _efficientnet,
        "ElectraBackbone": lambda: hub.ElectraBackbone(
            vocab_size=_WORDS,
            num_layers=2,
            num_heads=2,
            hidden_dim=16,
            embedding_dim=8,
            intermediate_dim=32,
            max_sequence_length=16,
        ),
        "FNetBackbone": lambda: hub.FNetBackbone(max_sequence_length=16, **_TEXT),
        "FalconBackbone": lambda: hub.FalconBackbone(num_attention_heads=2, **_TEXT),
        "GPT2Backbone": lambda: hub.GPT2Backbone(**_BOUNDED),
        "GPTNeoXBackbone": lambda: hub.GPTNeoXBackbone(**_BOUNDED),
        "Gemma3Backbone": lambda: hub.Gemma3Backbone(image_size=None, head_dim=4, **_GROUPED),
        "GemmaBackbone": lambda: hub.GemmaBackbone(head_dim=4, **_GROUPED),
        "HGNetV2Backbone": _hgnet,
        "LlamaBackbone": lambda: hub.LlamaBackbone(**_GROUPED),
        "MiTBackbone": _mit,
        "MistralBackbone": lambda: hub.MistralBackbone(**_GROUPED),
        "MixtralBackbone": lambda: hub.MixtralBackbone(num_experts=2, **_GROUPED),
        "MobileNetBackbone": _mobilenet,
        "MoonshineBackbone": lambda: hub.MoonshineBackbone(
            vocabulary_size=_WORDS,
            filter_dim=16,
            encoder_num_layers=1,
            decoder_num_layers=1,
            hidden_dim=16,
            intermediate_dim=64,
            encoder_num_heads=2,
            decoder_num_heads=2,
        ),
        "OPTBackbone": lambda: hub.OPTBackbone(**_BOUNDED),
        "Phi3Backbone": lambda: hub.Phi3Backbone(**_GROUPED),
        "Qwen3Backbone": lambda: hub.Qwen3Backbone(head_dim=4, **_GROUPED),
        "QwenBackbone": lambda: hub.QwenBackbone(**_GROUPED),
        "ResNetBackbone": _resnet,
        "RetinaNetBackbone": _retinanet,
        "RobertaBackbone": lambda: hub.RobertaBackbone(**_BOUNDED),
        "RoformerV2Backbone": lambda: hub.RoformerV2Backbone(head_size=8, **_HEADS),
        "SAMBackbone": _sam,
        "SegFormerBackbone": lambda: hub.SegFormerBackbone(
            image_encoder=_mit(), projection_filters=8
        ),
        "SigLIPBackbone": _siglip,
        "SwinTransformerBackbone": _swin,
        "T5Backbone": lambda: hub.T5Backbone(**_HEADS),
        "VAEBackbone": _vae,
        "VGGBackbone": lambda: hub.VGGBackbone([1, 1], [8, 16], image_shape=_IMAGE),
        "ViTBackbone": _vit,
        "ViTDetBackbone": _vit_det,
        "WhisperBackbone": lambda: hub.WhisperBackbone(
            num_mels=8, max_encoder_sequence_length=32, max_decoder_sequence_length=16, **_HEADS
        ),
        "XLMRobertaBackbone": lambda: hub.XLMRobertaBackbone(**_BOUNDED),
        "XLNetBackbone": lambda: hub.XLNetBackbone(**_HEADS),
        "XceptionBackbone": lambda: hub.XceptionBackbone(
            stackwise_conv_filters=[[8, 8], [16, 16]],
            stackwise_pooling=[True, False],
            image_shape=_IMAGE,
        ),
        "BertMaskedLM": lambda: hub.BertMaskedLM(hub.BertBackbone(**_BOUNDED)),
        "BertTextClassifier": lambda: hub.BertTextClassifier(
            hub.BertBackbone(**_BOUNDED), num_classes=3
        ),
        "BartSeq2SeqLM": lambda: hub.BartSeq2SeqLM(hub.BartBackbone(**_BOUNDED)),
        "BloomCausalLM": lambda: hub.BloomCausalLM(hub.BloomBackbone(**_HEADS)),
        "GPT2CausalLM": lambda: hub.GPT2CausalLM(hub.GPT2Backbone(**_BOUNDED)),
        "GemmaCausalLM": lambda: hub.GemmaCausalLM(hub.GemmaBackbone(head_dim=4, **_GROUPED)),
        "LlamaCausalLM": lambda: hub.LlamaCausalLM(hub.LlamaBackbone(**_GROUPED)),
        "OPTCausalLM": lambda: hub.OPTCausalLM(hub.OPTBackbone(**_BOUNDED)),
        "RobertaMaskedLM": lambda: hub.RobertaMaskedLM(hub.RobertaBackbone(**_BOUNDED)),
        "RobertaTextClassifier": lambda: hub.RobertaTextClassifier(
            hub.RobertaBackbone(**_BOUNDED), num_classes=3
        ),
        "DistilBertTextClassifier": lambda: hub.DistilBertTextClassifier(
            hub.DistilBertBackbone(**_BOUNDED), num_classes=3
        ),
        "FNetTextClassifier": lambda: hub.FNetTextClassifier(
            hub.FNetBackbone(max_sequence_length=16, **_TEXT), num_classes=3
        ),
        "DeepLabV3ImageSegmenter": lambda: hub.DeepLabV3ImageSegmenter(_deeplab(), num_classes=3),
        "SegFormerImageSegmenter": lambda: hub.SegFormerImageSegmenter(
            hub.SegFormerBackbone(image_encoder=_mit(), projection_filters=8), num_classes=3
        ),
        "ResNetImageClassifier": lambda: hub.ResNetImageClassifier(_resnet(), num_classes=3),
        "ViTImageClassifier": lambda: hub.ViTImageClassifier(_vit(), num_classes=3),
        "MobileNetImageClassifier": lambda: hub.MobileNetImageClassifier(
            _mobilenet(), num_classes=3
        ),
        "SAMImageSegmenter": lambda: hub.SAMImageSegmenter(_sam()),
    }
)
"""From the class to a function that makes one, with random weights."""


def build(name: str) -> keras.Model:
    """Make the model anew, always with the same weights."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    return BUILDERS[name]()

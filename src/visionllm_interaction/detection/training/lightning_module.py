"""The Lightning module: one training step, one validation step, AP at the end of each validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.unit_histogram import unit_histogram
from visionllm_interaction.detection.evaluation.coco_metrics import Results, coco_metrics, join_results, to_results
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.faster_rcnn import build_pretrained
from visionllm_interaction.detection.models.precision import choose_device, choose_precision
from visionllm_interaction.detection.runtimes.torch_detector import prepare_for_detection, to_detections
from visionllm_interaction.detection.training.callbacks import CONFIDENCES, VAL_LOSS, scalar_metrics
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.dataset import Batch
from visionllm_interaction.detection.training.distributed import all_gather
from visionllm_interaction.detection.training.optimizers import build_optimizer, build_schedule
from visionllm_interaction.errors import TrainingDiverged


class DetectorModule(lightning.LightningModule):
    """Trains a Faster R-CNN.

    Args:
        model: the detector to build.
        train: settings of the loop.
        categories: in label order.
        truth: COCO annotations of the validation split.

    Attributes:
        detector: the torchvision model.
        metrics: COCO metrics of the latest validation, with ``val_loss`` if it is computed, and the histogram of the
            confidences.
        metrics_epoch: the epoch (from 0) after which they were computed; −1 before the first.
        losses: of the latest step: the sum and its four parts.
    """

    def __init__(
        self, model: ModelConfig, train: TrainConfig, *, categories: Categories, truth: Mapping[str, Any]
    ) -> None:
        super().__init__()
        torch.manual_seed(train.seed)
        self.detector: nn.Module = build_pretrained(model, categories=categories)
        device = choose_device(train.device)
        prepare_for_detection(self.detector, device, train=choose_precision(train.precision, device))
        self.metrics: dict[str, Any] = {}
        self.metrics_epoch = -1
        self.losses: dict[str, Tensor] = {}
        self._train_config = train
        self._category_ids = {category.label: category.category_id for category in categories}
        self._truth = truth
        self._results: list[Results] = []
        self._computes_loss = train.val_loss or train.monitor == VAL_LOSS
        self._loss_sums: list[tuple[float, int]] = []

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Sum of the four losses of Faster R-CNN."""
        images, targets = batch
        if batch_index == 0:
            # proposals are sampled from torch's generator: seeding it per epoch makes a resumed run the same run
            torch.manual_seed(hash((self._train_config.seed, self.current_epoch)) % 2**63)
        losses = self.detector([image.float().div_(255) for image in images], targets)
        total: Tensor = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise self._diverged(losses, batch)
        parts = {name.removeprefix("loss_"): value.detach() for name, value in losses.items()}
        self.losses = {"train_loss": total.detach(), **parts}
        self.log("train_loss", total.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=len(images))
        return total

    def _diverged(self, losses: Mapping[str, Tensor], batch: Batch) -> TrainingDiverged:
        ids = [int(target["image_id"]) for target in batch[1]]
        return TrainingDiverged(
            "The training loss is not finite.",
            expected="a finite loss",
            found=", ".join(f"{name} {value.item():g}" for name, value in losses.items()),
            where=f"epoch {self.current_epoch + 1}, step {self.global_step}, image ids {ids}",
            fix="lower train.lr, set train.clip_norm, or check these images",
        )

    def validation_step(self, batch: Batch, _batch_index: int) -> None:
        """Detect, and keep the results for the metrics."""
        images, targets = batch
        outputs = self.detector([image.float().div_(255) for image in images])
        for output, target in zip(outputs, targets, strict=True):
            found = to_detections(output)
            self._results.append(to_results(int(target["image_id"]), found, category_ids=self._category_ids))
        if self._computes_loss:
            self._loss_sums.append((self._validation_loss(batch) * len(images), len(images)))

    def _validation_loss(self, batch: Batch) -> float:
        """The training loss without augmentation, with normalisation as it is when detecting."""
        images, targets = batch
        self.detector.train()
        for layer in self.detector.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):  # torch has no public name for all of them
                layer.eval()
        losses = self.detector([image.float().div_(255) for image in images], targets)
        self.detector.eval()
        return float(torch.stack(list(losses.values())).sum())

    def on_validation_epoch_end(self) -> None:
        """Compute and log the COCO metrics."""
        results = join_results([part for parts in all_gather(self._results) for part in parts])
        self.metrics = {**coco_metrics(self._truth, results), CONFIDENCES: unit_histogram(results.scores)}
        if self._computes_loss:
            sums = [part for parts in all_gather(self._loss_sums) for part in parts]
            self.metrics[VAL_LOSS] = sum(loss for loss, _ in sums) / sum(count for _, count in sums)
        self.metrics_epoch = self.current_epoch
        self._results, self._loss_sums = [], []
        # as float64: early stopping compares exactly the numbers that decide which epoch is best
        logged = {k: torch.tensor(v, dtype=torch.float64) for k, v in scalar_metrics(self.metrics).items()}
        self.log_dict({name: logged.pop(name) for name in ("AP", "AP50")}, prog_bar=True)
        self.log_dict(logged)

    def configure_optimizers(self) -> Any:
        """Optimiser, and a schedule that advances every step."""
        optimizer = build_optimizer(self.detector, self._train_config)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = build_schedule(optimizer, self._train_config, steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

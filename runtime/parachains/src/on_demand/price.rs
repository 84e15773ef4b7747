//! The price of an order: a base fee times the traffic, which follows how full the queue is.

use headway_primitives::{Balance, SchedulerParams};
use sp_runtime::{traits::Saturating, FixedPointNumber, FixedU128};

/// The traffic after one adjustment, at least `floor`. None, so no change, while the queue may have no orders or
/// has more than it may.
///
/// It grows or falls as transaction fees do: by `x + x²/2`, where `x` is the variability times the distance of
/// the queue's utilization from the target, and negative below it. The reference leaves the variability out of
/// the linear term and, below the target, multiplies by the distance itself; there a full queue makes the price
/// nearly double with every order, and it falls to the base fee within a few blocks.
pub(super) fn adjust_traffic(
	traffic: FixedU128,
	floor: FixedU128,
	queued: u32,
	params: &SchedulerParams,
) -> Option<FixedU128> {
	let capacity = params.on_demand_queue_max_size;
	if capacity == 0 || queued > capacity {
		return None;
	}
	let utilization = FixedU128::saturating_from_rational(queued, capacity);
	let target = FixedU128::from(params.on_demand_target_queue_utilization);
	let change = |distance: FixedU128| distance.saturating_mul(params.on_demand_fee_variability.into());
	let one = FixedU128::from_u32(1);
	let (linear, x) = if utilization >= target {
		let x = change(utilization.saturating_sub(target));
		(one.saturating_add(x), x)
	} else {
		let x = change(target.saturating_sub(utilization));
		(one.saturating_sub(x), x)
	};
	let half_square = x.saturating_mul(x).saturating_mul(FixedU128::saturating_from_rational(1, 2));
	Some(traffic.saturating_mul(linear.saturating_add(half_square)).max(floor))
}

/// The price at some traffic.
pub(super) fn spot_price(traffic: FixedU128, params: &SchedulerParams) -> Balance {
	traffic.saturating_mul_int(params.on_demand_base_fee)
}

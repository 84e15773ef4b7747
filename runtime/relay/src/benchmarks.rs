//! Pallets whose benchmarks the runtime API offers, each with the folder of its weights.

frame_benchmarking::define_benchmarks!(
	[configuration, Configuration]
	[inclusion, ParaInclusion]
	[paras_inherent, ParaInherent]
	[paras, Paras]
	[hrmp, Hrmp]
	[on_demand, OnDemandAssignmentProvider]
	[registrar, Registrar]
	[coretime, Coretime]
);

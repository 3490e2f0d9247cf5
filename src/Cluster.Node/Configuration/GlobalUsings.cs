// ASP.NET's implicit usings bring another class of this name.
global using ConfigurationSection = Cluster.Sampling.Configuration.ConfigurationSection;
